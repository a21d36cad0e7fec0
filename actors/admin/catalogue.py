"""The table of commands and what carries them out. Both load with the first operator who comes, or a moment after the
start (bandstand/later.py): they are a twentieth of all that a server loads, and no attendee waits for them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from actors.admin.orders import Spec

if TYPE_CHECKING:
    from actors.admin.plans import Planner


def table() -> Mapping[str, Spec]:
    """Every command, by its name."""
    from actors.admin.commands import TABLE

    return TABLE


def planners() -> "Mapping[str, Planner]":
    """What plans an act, by the name of its command."""
    from actors.admin.executors import PLANNERS

    return PLANNERS
