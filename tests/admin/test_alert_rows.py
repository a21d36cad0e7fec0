"""What operators watch of alerts."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.admin import alert_rows
from actors.admin.alert_rows import AlertRows, percent
from tests.admin.office import open_office

DRILL: dict[str, Any] = {
    "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "evacuate",
    "headline": "Leave by the north gate", "text": "Walk.", "all": True, "expires_s": 600.0,
}  # fmt: skip


@pytest.mark.parametrize(("part", "shown"), [(0.0, 0), (0.29, 29), (4 / 6, 66), (1999 / 2000, 99), (1.0, 100)])
def test_a_share_is_never_shown_larger_than_it_is(part: float, shown: int) -> None:
    assert percent(part) == shown


async def test_those_in_force_are_seen_first_and_the_rest_is_counted_and_can_be_read(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One in force behind thirty newer ones was on no operator's screen."""
    monkeypatch.setattr(alert_rows, "SHOWN", 2)
    async with open_office() as office:
        names = [(await office.do("alert.raise", DRILL, confirm="DRILL")).detail["alert"] for _ in range(4)]
        for name in names[1:]:
            await trio.sleep(1)
            await office.do("alert.cancel", {"alert": name})
        seen = AlertRows(office.house.alert_board, {}, lambda: 0.0).snapshot()
        assert [row["id"] for row in seen["alerts"]] == [names[0], names[3]]
        assert seen["more"] == 2
        first = (await office.do("alert.list", {"limit": 3})).detail
        rest = (await office.do("alert.list", {"limit": 3, "after": first["next"]})).detail
        assert [row["id"] for row in (*first["items"], *rest["items"])] == names[::-1]
        assert (first["more"], rest["more"]) == (True, False)
