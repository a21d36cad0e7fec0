"""Calm is lifted whenever somebody lifts it; what the house says of itself comes back with its level."""

import trio
from trio.testing import MockClock

from tests.admin.office import Ahead, open_office


async def test_calm_can_be_lifted_after_days(autojump_clock: MockClock) -> None:
    """After 24 hours nothing but the database could lift it."""
    clock = Ahead()
    async with open_office(clock=clock) as office:
        await office.do("house.calm")
        clock.seconds = 3 * 86_400.0
        await office.do("room.freeze", {"room": "main-stage"})
        await trio.sleep(10)  # whatever is due is done
        await office.do("house.uncalm")
        shown = (await office.do("house.show")).detail
        assert (shown["calm"], shown["lockdown"]) == (False, 5)


async def test_calm_that_two_people_ordered_is_lifted_once(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        await office.do("house.lockdown", {"level": 4})
        first = await office.do("house.calm")
        await office.do("house.calm", by="bo", ttl_s=600.0)
        lifted = await office.do("house.uncalm")
        shown = (await office.do("house.show")).detail
        assert (shown["calm"], shown["lockdown"]) == (False, 4)
        assert ["house", "lockdown", 4] in lifted.detail["restored"]
        assert await office.refused("house.uncalm") == "conflict"
        assert await office.refused("act.undo", {"act": first.act}) == "conflict"


async def test_undo_of_a_lockdown_leaves_reason_and_time_of_the_one_below(autojump_clock: MockClock) -> None:
    """Who had come between the two levels counted as known after the undo of the second."""
    async with open_office() as office:
        await office.do("house.lockdown", {"level": 2}, reason="crowd")
        standing = office.house.standing
        since = standing.lockdown_since
        await trio.sleep(100)
        worse = await office.do("house.lockdown", {"level": 1}, reason="worse", confirm="STAFF ONLY", break_glass=True)
        assert (standing.lockdown_reason, standing.lockdown_since) == ("worse", since + 100)
        undone = await office.do("act.undo", {"act": worse.act}, reason="too much")
        assert (standing.lockdown, standing.lockdown_reason, standing.lockdown_since) == (2, "crowd", since)
        assert undone.detail["restored"] == [["house", "lockdown", 2]]
