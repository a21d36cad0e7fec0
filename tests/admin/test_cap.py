"""Alerts as other systems read them."""

from typing import Any

from trio.testing import MockClock

from tests.admin.office import open_office

DRILL: dict[str, Any] = {
    "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "evacuate",
    "headline": "Leave by the north gate", "text": "Walk.", "all": True, "expires_s": 600.0,
}  # fmt: skip


async def test_what_replaces_an_alert_says_which_one(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        raised = await office.do("alert.raise", DRILL, confirm="DRILL")
        alert = raised.detail["alert"]
        first = (await office.do("alert.export", {"alert": alert})).detail["xml"]
        assert "<references>" not in first
        sent = first.split("<sent>")[1].split("</sent>")[0]
        await office.do("alert.update", {"alert": alert, "changes": {"headline": "Leave by the south gate"}})
        second = (await office.do("alert.export", {"alert": alert})).detail["xml"]
        assert f"<references>bandstand,{alert}.1,{sent}</references>" in second
        assert "<msgType>Update</msgType>" in second
