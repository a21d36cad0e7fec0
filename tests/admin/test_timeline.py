"""What happened, on one axis of time."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from gateway.admin.answers import answered
from tests.admin.office import open_office


@pytest.mark.parametrize("command", ["timeline.export", "timeline.show"])
async def test_a_long_timeline_comes_in_pages_that_each_fit_a_frame(command: str, autojump_clock: MockClock) -> None:
    """A page of 200 events was longer than a frame may be, and so the export of an eventful hour was refused."""
    async with open_office() as office:
        for n in range(450):
            office.house.feed.note("fault", f"{n} {'the mast fell ' * 15}", room="main-stage", data={"after": '"' * 50})
        await trio.sleep(5)
        rows: list[Any] = []
        after: Any = 0
        while after is not None:
            answer = await office.do(command, {"after": after, "room": "main-stage"})
            assert b'"code":"too_big"' not in answered(1, answer)
            items = answer.detail["items"]
            rows += map(json.loads, items) if command == "timeline.export" else items
            after = answer.detail["next"]
        assert [row["text"].split(" ")[0] for row in rows if row["kind"] == "fault"] == [str(n) for n in range(450)]


async def test_a_room_s_timeline_has_what_concerns_every_room_and_the_minutes_counts(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        note = office.house.feed.note
        note("minute", "120 messages", room="main-stage", data={"messages": 120})
        note("minute", "3 messages", room="quiet-room", data={"messages": 3})
        note("alert", "A001 rev 1: Storm")
        note("alert", "Robin needs help (A001)", member="m_1")
        note("sign_in", "ana: signed in", operator="ana")
        await office.do("house.lockdown", {"level": 4})
        await office.do("room.freeze", {"room": "quiet-room"})
        await trio.sleep(2)
        items = (await office.do("timeline.show", {"room": "main-stage"})).detail["items"]
        assert [item["text"] for item in items if item["kind"] != "room"] == [
            "the server has started", "120 messages", "A001 rev 1: Storm", "Robin needs help (A001)",
            "ana: house.lockdown",
        ]  # fmt: skip


async def test_starts_and_stops_are_on_the_timeline(tmp_path: Path) -> None:
    with trio.fail_after(60):
        for _ in range(2):
            async with open_office(tmp_path) as office:
                await office.do("house.show")
        async with open_office(tmp_path) as office:
            events = await office.ops.store.activity.after(0, 100)
            told = [event.text for event in events if event.kind == "server"]
            assert told[:4] == ["the server has started", "the server stops"] * 2
            assert [event.n for event in events] == list(range(1, len(events) + 1)), "no number is left out"
