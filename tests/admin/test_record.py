"""What is on record: every act once, every refusal, every export, nothing secret, and no more than a disk can hold."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.admin import recording_later, store_schema
from actors.admin.deeds import Deed, Deeds
from actors.admin.recording_later import Owed
from actors.admin.recording_refusals import EACH, Refusals
from actors.admin.roles import Role
from actors.admin.store import StoreFailed
from actors.admin.store_audit import Entry
from tests.admin.office import Office, open_office

MAIN = {"room": "main-stage"}
DRILL = {
    "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "shelter",
    "headline": "Storm", "expires_s": 3600, "all": True,
}  # fmt: skip


async def test_three_tries_of_one_order_are_one_act(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        for _ in range(3):
            await office.do("room.freeze", MAIN, cid="same")
        assert await office.audit() == [("ana", "room.freeze", "ok")]
        assert [event.text for event in office.house.feed.replay() if event.kind == "act"] == ["ana: room.freeze"]


async def test_each_export_is_one_row_wherever_it_begins(autojump_clock: MockClock) -> None:
    """An export that began after the first message was none, for the record."""
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        for n in range(20):
            await office.post(guest, f"{n % 10}" * 2_000)
            await trio.sleep(1)
        after: Any = 1
        pages = 0
        while after is not None:
            after = (await office.do("room.export", MAIN | {"after": after})).detail["next"]
            pages += 1
        assert pages > 1
        await office.do("room.export", MAIN | {"after": 1}, by="bo")
        await office.do("timeline.export", {"after": 1})
        assert await office.audit() == [
            ("ana", "room.export", "ok"), ("bo", "room.export", "ok"), ("ana", "timeline.export", "ok"),
        ]  # fmt: skip
        rows = await office.ops.store.audit.page(limit=10)
        assert json.loads(rows[-1].args) == MAIN | {"after": 1}


async def test_a_secret_is_in_no_record_though_its_name_is_misspelt(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        assert await office.refused("operator.update", {"name": "ana", "pasword": "correct horse"}) == "bad_frame"
        (row,) = await office.ops.store.audit.page(limit=5)
        assert json.loads(row.args) == {"name": "ana", "pasword": "***"}


async def test_refusals_fill_no_disk(autojump_clock: MockClock) -> None:
    """A viewer could write 300 kB a second into a record that is kept for ever."""
    async with open_office() as office:
        for _ in range(EACH + 30):
            big = MAIN | {"title": "y" * 15_000}
            assert await office.refused("room.freeze", big, by="view", role=Role.VIEWER) == "forbidden"
        await office.refused("room.freeze", MAIN, by="other", role=Role.VIEWER)
        await trio.sleep(130)
        rows = [row for row in await office.ops.store.audit.page(limit=100) if row.operator == "view"]
        assert [row.result for row in rows] == ["many", *["forbidden"] * EACH]
        assert json.loads(rows[0].args)["count"] == 30
        assert max(len(row.args) for row in rows) < 1_200
        assert ("other", "room.freeze", "forbidden") in await office.audit()


def test_refusals_are_counted_by_the_minute() -> None:
    refusals, one = Refusals(), Entry("ana", "x", "room.freeze", {}, result="forbidden")
    assert sum(len(refusals.note(one, 5.0)) for _ in range(EACH + 3)) == EACH
    assert refusals.over(64.0) == []
    counted, again = refusals.note(one, 65.0)
    assert (counted.command, counted.args["count"], again.result) == ("refused", 3, "forbidden")
    assert refusals.over(500.0) == [], "one is not more than may be"


async def test_what_was_hidden_and_is_erased_is_on_record(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        await office.post(guest, "rude")
        cleared = await office.do("room.clear", MAIN)
        await trio.sleep(620)
        row, *_ = await office.ops.store.audit.page(limit=1)
        assert (row.operator, row.command) == ("house", "act.erase")
        assert json.loads(row.args) == {"act": cleared.act, "command": "room.clear"}
        assert "what ana hid by room.clear is erased" in [event.text for event in office.house.feed.replay()]


async def test_an_act_and_its_row_are_one(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that failed between the two left an act that no row told of."""
    async with open_office() as office:

        def broken(*_: object) -> int:
            raise sqlite3.OperationalError("disk I/O error")

        with monkeypatch.context() as failing:
            failing.setattr(type(office.ops.store.audit), "write", broken)
            frozen = await office.do("room.freeze", MAIN, cid="f")
            deed = await office.deeds.get(frozen.act)
            assert deed is not None
            assert deed.outcome is None
        assert await office.audit() == []
        assert await office.do("room.freeze", MAIN, cid="f") == frozen
        await trio.sleep(5)
        assert await office.audit() == [("ana", "room.freeze", "ok")]


# -- what the disk is late to take -------------------------------------------------------------------------------------


async def test_an_act_that_stands_is_answered_and_recorded_when_the_disk_takes_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was answered `unavailable` while it stood, was never lifted, could not be undone, and nothing told of it."""
    async with open_office() as office:
        with monkeypatch.context() as failing:
            fail_to_finish(failing)
            locked = await office.do("house.lockdown", {"level": 3}, ttl_s=60.0)
            assert office.house.standing.lockdown == 3
            said = [event.text for event in office.house.feed.replay()]
            assert "house.lockdown by ana is not on record: the disk is full" in said
            assert "ana: house.lockdown" in said
            assert await office.refused("room.freeze", MAIN) == "unavailable", "it comes after what is not on record"
            await trio.sleep(120)  # past its time
        await trio.sleep(20)
        assert office.house.standing.lockdown == 5
        assert await office.audit() == [("ana", "house.lockdown", "ok"), ("house", "act.undo", "ok")]
        assert await office.refused("act.undo", {"act": locked.act}) == "conflict"


async def test_what_was_late_once_can_be_undone_at_once(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_office() as office:
        with monkeypatch.context() as failing:
            fail_to_finish(failing)
            frozen = await office.do("room.freeze", MAIN, cid="f")
        await office.do("act.undo", {"act": frozen.act})
        assert (await office.room())["frozen"] is False
        assert await office.do("room.freeze", MAIN, cid="f") == frozen, "it was done, and is not done again"
        assert await office.audit() == [("ana", "room.freeze", "ok"), ("ana", "act.undo", "ok")]


async def test_what_is_owed_at_a_stop_is_tried_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start took it for what a crash had left."""
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            with monkeypatch.context() as failing:
                fail_to_finish(failing)
                await office.do("alert.raise", DRILL, confirm="DRILL")
        async with open_office(tmp_path) as office:
            await office.do("room.thaw", MAIN, dry_run=True)  # orders wait for what is left of the last life
            assert [result for _, name, result in await office.audit() if name == "alert.raise"] == ["ok"]
            assert not [event for event in office.house.feed.replay() if "a crash" in event.text]


def fail_to_finish(patch: pytest.MonkeyPatch) -> None:
    """Acts begin on disk, and their outcome is not taken."""
    finish = Deeds.finish

    async def full(self: Deeds, deed: Deed, *entries: Entry) -> None:
        if deed.outcome is not None:
            raise StoreFailed("the disk is full")
        await finish(self, deed, *entries)

    patch.setattr(Deeds, "finish", full)


# -- alerts ------------------------------------------------------------------------------------------------------------


async def test_an_alert_does_not_wait_for_a_disk_that_hangs_and_is_recorded_when_it_answers(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_office() as office:
        run, back = office.ops.store.run, trio.Event()

        async def hanging(*args: Any, **more: Any) -> Any:
            await back.wait()
            return await run(*args, **more)

        monkeypatch.setattr(office.ops.store, "run", hanging)
        began = trio.current_time()
        sent: list[float] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(when_raised, office, sent)
            first = await office.do("alert.raise", DRILL, confirm="DRILL", cid="a1")
        assert sent[0] - began < 0.3
        assert trio.current_time() - began < 0.6
        assert await office.do("alert.raise", DRILL, confirm="DRILL", cid="a1") == first
        assert sum("not on record" in event.text for event in office.house.feed.replay()) == 1
        back.set()
        await trio.sleep(5)
        assert await office.audit() == [("ana", "alert.raise", "ok")]
        deed = await office.deeds.get(first.act)
        assert deed is not None
        assert deed.outcome == first
        assert "all that was done is on record again" in [event.text for event in office.house.feed.replay()]


async def when_raised(office: Office, sent: list[float]) -> None:
    while not office.house.alert_board.book.cases:  # noqa: ASYNC110 - virtual time
        await trio.sleep(0.005)
    sent.append(trio.current_time())


async def test_an_alert_is_out_before_another_process_lets_go_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_schema, "BUSY_TIMEOUT_S", 40.0)
    with trio.fail_after(60):
        async with open_office(tmp_path) as office:
            await office.do("alert.list")
            with sqlite3.connect(tmp_path / "admin.db", isolation_level=None) as other:
                other.execute("BEGIN IMMEDIATE")
                began = trio.current_time()
                raised = await office.do("alert.raise", DRILL, confirm="DRILL")
                assert trio.current_time() - began < 20, "the file is waited for 40 s"
                other.rollback()
            other.close()
            while not await office.audit():  # noqa: ASYNC110 - another thread writes it
                await trio.sleep(0.02)
            assert await office.audit() == [("ana", "alert.raise", "ok")]
            assert raised.detail["alert"]


async def test_records_that_are_owed_are_paid_in_order(autojump_clock: MockClock) -> None:
    done: list[int] = []
    full = True
    told: list[str] = []

    async def record(n: int) -> None:
        if full:
            raise StoreFailed("the disk is full")
        done.append(n)

    owed = Owed(lambda: told.append("paid"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(owed.pay)
        assert await owed.keep("", lambda: record(1), 0.2) == "the disk is full"
        assert await owed.keep("", lambda: record(2), 0.2) != ""
        full = False
        await trio.sleep(5)
        assert (done, told) == ([1, 2], ["paid"])
        assert await owed.keep("", lambda: record(3), 0.2) == ""
        await trio.sleep(5)
        assert (done, told) == ([1, 2, 3], ["paid"])
        nursery.cancel_scope.cancel()


async def test_a_cid_that_another_alert_had_is_refused(autojump_clock: MockClock) -> None:
    """The second alert was answered with the first, and never went out."""
    async with open_office() as office:
        first = await office.do("alert.raise", DRILL, confirm="DRILL", cid="a1")
        other = DRILL | {"headline": "Fire"}
        assert await office.refused("alert.raise", other, confirm="DRILL", cid="a1") == "cid_reused"
        cancel = {"alert": first.detail["alert"]}
        assert await office.refused("alert.cancel", cancel, cid="a1") == "cid_reused"
        assert await office.do("alert.raise", DRILL, confirm="DRILL", cid="a1") == first
        results = [result for _, _, result in await office.audit()]
        assert results == ["ok", "cid_reused", "cid_reused"]


async def test_a_record_that_is_given_up_is_told(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_later, "OWED_MOST", 1)
    async with open_office() as office:
        fail_to_finish(monkeypatch)
        for _ in range(2):
            await office.do("alert.raise", DRILL, confirm="DRILL")
        told = [event for event in office.house.feed.replay() if "is lost" in event.text]
        assert [(event.kind, event.text) for event in told] == [
            ("fault", "the record of alert.raise by ana is lost: too much waits for the disk")
        ]
