"""All planners by command. Every act of the table has one, but `act.undo` and `house.uncalm`, which are the executor's
own."""

from actors.admin import executor_alerts, executor_house, executor_operators, executor_people, executor_rooms
from actors.admin.plans import Planner

PLANNERS: dict[str, Planner] = {
    **executor_rooms.PLANNERS,
    **executor_people.PLANNERS,
    **executor_house.PLANNERS,
    **executor_alerts.PLANNERS,
    **executor_operators.PLANNERS,
}
