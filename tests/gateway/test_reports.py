"""What a member reports: kept before it is acknowledged, told to operators once, no way to flush their feed."""

from pathlib import Path
from typing import Any

import pytest
import trio

from actors.admin import store_activity
from actors.admin.store import StoreFailed
from gateway import requests
from tests.gateway.serving import Live, ask, serving


def events(live: Live) -> list[str]:
    return [event.text for event in live.served.house.feed.replay() if event.kind == "report"]


async def test_a_report_is_told_once_and_only_of_a_message_that_is_there(tmp_path: Path) -> None:
    """25 repeats of one report of a message that does not exist were 25 events of the operators' feed."""
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            peer = await live.joined("Ana")
            sent = await ask(peer, "send", room="main-stage", cid="c1", text="hello")
            for _ in range(5):
                answer = await ask(peer, "report", room="main-stage", seq=10**9, why="x")
                assert (answer["type"], answer["code"]) == ("error", "bad_anchor")
            for _ in range(5):
                assert (await ask(peer, "report", room="main-stage", seq=sent["seq"], why="x"))["type"] == "ok"
            assert events(live) == [f"Ana reports message {sent['seq']}"]
            await ask(peer, "edit", room="main-stage", cid="c2", target=sent["seq"], text="hallo")
            answer = await ask(peer, "report", room="main-stage", seq=sent["seq"] + 1, why="x")
            assert answer["code"] == "bad_anchor", "an edit is no message"


async def test_a_report_that_is_not_kept_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_args: object) -> None:
        raise StoreFailed("database or disk is full")

    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            peer = await live.joined("Ana")
            seq = (await ask(peer, "send", room="main-stage", cid="c1", text="hello"))["seq"]
            with monkeypatch.context() as during:
                during.setattr(store_activity.ReportTable, "add", full)
                answer = await ask(peer, "report", room="main-stage", seq=seq, why="x")
                assert (answer["code"], answer["retry"]) == ("unavailable", True)
            with monkeypatch.context() as during:
                during.setattr(store_activity, "OPEN_MOST", 0)
                assert (await ask(peer, "report", room="main-stage", seq=seq, why="x"))["code"] == "full"
            assert events(live) == []
            assert (await ask(peer, "report", room="main-stage", seq=seq, why="x"))["type"] == "ok"
            assert len(events(live)) == 1


async def test_a_report_that_the_disk_takes_slowly_is_told_though_the_member_heard_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was kept and never told: the retry found that it was known."""
    taken, add = trio.Event(), store_activity.ReportTable.add

    async def slow(*args: Any) -> Any:
        kept = await add(*args)
        await taken.wait()
        return kept

    monkeypatch.setattr(store_activity.ReportTable, "add", slow)
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            peer = await live.joined("Ana")
            seq = (await ask(peer, "send", room="main-stage", cid="c1", text="hello"))["seq"]
            with monkeypatch.context() as impatient:
                impatient.setattr(requests, "PATIENCE_SECONDS", 0.1)
                assert (await ask(peer, "report", room="main-stage", seq=seq, why="x"))["code"] == "busy"
            assert events(live) == []
            taken.set()
            assert (await ask(peer, "report", room="main-stage", seq=seq, why="x"))["type"] == "ok"
            assert events(live) == [f"Ana reports message {seq}"]


async def test_a_join_replays_no_more_than_hello_says(tmp_path: Path) -> None:
    with trio.fail_after(20):
        async with serving(tmp_path, limits__replay_entries=5) as live:
            peer = await live.joined("Ana")
            for n in range(9):
                ok = await ask(peer, "send", room="main-stage", cid=f"c{n}", text="hi")
            since = {"epoch": ok["epoch"], "seq": 0}
            back, _ = await live.member(nickname="Bo")
            assert (await ask(back, "join", room="main-stage", since=since))["mode"] == "gap"
