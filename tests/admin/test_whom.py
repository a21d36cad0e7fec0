"""Whom an alert is for."""

from typing import Any

import pytest
from trio.testing import MockClock

from tests.admin.office import open_office

DRILL: dict[str, Any] = {
    "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "evacuate",
    "headline": "Leave by the north gate", "text": "Walk.", "expires_s": 600.0,
}  # fmt: skip


@pytest.mark.parametrize("command", ["alert.raise", "alert.preview"])
async def test_a_slip_in_a_room_s_name_is_told_before_anything_is_sent(command: str, autojump_clock: MockClock) -> None:
    """An alert to `main-stage` and `qiet-room` went out, and nobody in the quiet room heard of it."""
    async with open_office() as office:
        await office.come(1, "main-stage")
        slip = DRILL | {"rooms": ["main-stage", "qiet-room"]}
        assert await office.refused(command, slip, confirm="DRILL") == "unknown_room"
        assert office.house.alert_board.book.cases == {}
        await office.do(command, DRILL | {"rooms": ["main-stage", "quiet-room"]}, confirm="DRILL")
