"""Disks that fail: a typed answer, never a false ok, and the journal recovers by itself."""

import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import trio
import trio.testing

from actors.events import Deleted, Edited, Policy, PolicyChanged
from actors.journal import actor, batch, schema
from actors.journal.actor import Journal
from actors.journal.desk import Desk
from actors.journal.disk import BALLAST_BYTES
from actors.journal.log import Draft, Durability, LogFailed, Outcome, RoomRecord, Stored
from actors.journal.marks import Marks
from actors.journal.store import Store
from actors.kernel import ActorGone
from actors.names import Cid, MemberId, RoomCode
from actors.refusals import Reason, Refused
from tests.journal.keeping import ANA, BO, GUARD_S, STAGE, Verdict, keeping, message, setup_for, supervised


class Faults:
    """`on(sql)` is asked before each statement and may raise; `after(sql)` when it is through."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.on: Callable[[str], None] = lambda sql: None
        self.after: Callable[[str], None] = lambda sql: None


def io_error(text: str = "disk I/O error", code: int = sqlite3.SQLITE_IOERR_FSYNC) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def raising(prefix: str, error: Callable[[], Exception] = io_error, times: int = 1_000_000) -> Callable[[str], None]:
    left = [times]

    def check(sql: str) -> None:
        if sql.startswith(prefix) and left[0] > 0:
            left[0] -= 1
            raise error()

    return check


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    faults = Faults()

    class Faulty(sqlite3.Connection):
        def execute(self, sql: str, *args: object) -> sqlite3.Cursor:  # type: ignore[override]
            faults.on(sql)
            cursor = super().execute(sql, *args)  # type: ignore[arg-type]
            faults.after(sql)
            return cursor

    plain = sqlite3.connect
    monkeypatch.setattr(schema.sqlite3, "connect", lambda *args, **how: plain(*args, factory=Faulty, **how))
    yield faults
    faults.clear()


def reason(outcome: object) -> Reason | None:
    return outcome.reason if isinstance(outcome, Refused) else None


async def test_a_full_disk_is_said_and_reading_goes_on(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with keeping(setup) as log:
        record = await log.room()
        await log.post(record, "before")
        await log.desk.do(lambda store: store.db.execute("PRAGMA max_page_count=1").fetchone())
        refused = await log.append(record, "x" * 9_000, cid="c")
        assert reason(refused) is Reason.UNAVAILABLE
        assert isinstance(refused, Refused)
        assert refused.retry_after_ms
        assert [entry.body for entry in await log.history()] == [message("before")]
        assert not (tmp_path / "journal.db.ballast").exists()
        await log.desk.do(lambda store: store.db.execute("PRAGMA max_page_count=100000").fetchone())
        assert (await log.post(record, "x" * 9_000, cid="c")) == Stored(record.epoch, 2, log.clock.wall)
        assert [alarm.kind for alarm in log.alarms] == ["failed", "recovered"]


async def test_a_read_only_database_is_said_and_recovered_from(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        await log.desk.do(lambda store: store.db.execute("PRAGMA query_only=ON").fetchone())
        assert reason(await log.append(record, "hi", cid="c")) is Reason.UNAVAILABLE
        assert (await log.post(record, "hi", cid="c")).seq == 1


async def test_a_locked_database_is_said_and_recovered_from(tmp_path: Path) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        await log.desk.do(lambda store: store.db.execute("PRAGMA busy_timeout=20").fetchone())
        other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert reason(await log.append(record, "hi")) is Reason.UNAVAILABLE
        assert await log.history() == ()
        other.execute("ROLLBACK")
        other.close()
        assert (await log.post(record, "hi")).seq == 1


async def test_an_error_before_the_commit_refuses_the_whole_batch(tmp_path: Path, faults: Faults) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        faults.on = raising("INSERT OR ROLLBACK INTO entries", times=1)
        drafts = [log.draft(record, message(str(n))) for n in range(3)]
        log.gather()
        for draft, _ in drafts:
            log.desk.append(draft)
        assert [reason(await verdict.wait()) for _, verdict in drafts] == [Reason.UNAVAILABLE] * 3
        assert await log.history() == ()
        assert (await log.post(record, "hi")).seq == 1


@pytest.mark.parametrize("landed", [False, True])
async def test_a_failed_commit_is_looked_up_before_it_is_answered(tmp_path: Path, faults: Faults, landed: bool) -> None:
    """An fsync that fails says nothing of what is on disk: here once it is, once it is not."""
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        await log.post(record, "before")
        _, listener = await log.open()
        if landed:
            faults.after = raising("COMMIT", times=1)
        else:
            faults.on = raising("COMMIT", times=1)
        assert await log.append(record, "hi", cid="c") == Stored(record.epoch, 2, log.clock.wall)
        assert [entry.seq for entry in await listener.hear(1)] == [2]
        assert (await log.post(record, "hi", cid="c")).dup
        assert (await log.post(record, "ho")).seq == 3
        assert [entry.seq for entry in await listener.hear(1)] == [3]


@pytest.mark.parametrize("landed", [False, True])
async def test_while_the_disk_stays_broken_there_is_no_ok(tmp_path: Path, faults: Faults, landed: bool) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        _, listener = await log.open()

        def break_all(sql: str) -> None:
            faults.on = raising("PRAGMA wal_checkpoint")  # opens, but cannot sync
            raise io_error()

        if landed:
            faults.after = lambda sql: break_all(sql) if sql == "COMMIT" else None
        else:
            faults.on = lambda sql: break_all(sql) if sql == "COMMIT" else None
        assert reason(await log.append(record, "hi", cid="c")) is Reason.UNAVAILABLE
        assert listener.following.take() == []
        faults.clear()
        assert (await log.post(record, "hi", cid="c")).dup is landed
        assert [entry.seq for entry in await listener.hear(1)] == [1]
        assert [alarm.kind for alarm in log.alarms] == ["failed", "recovered"]


async def test_a_disk_that_does_not_even_open_refuses_until_it_does(tmp_path: Path, faults: Faults) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        faults.on = raising("")
        for _ in range(3):
            assert reason(await log.append(record, "hi", cid="c")) is Reason.UNAVAILABLE
        with pytest.raises(LogFailed):
            await log.renew()
        with pytest.raises(LogFailed):
            await log.desk.react(STAGE, 1, ANA, "+1", True)
        with pytest.raises(LogFailed) as failed:
            await log.history()
        assert failed.value.retry_after_ms > 0
        faults.clear()
        assert (await log.post(record, "hi", cid="c")).dup is False
        assert len(await log.history()) == 1


async def test_a_following_that_could_not_be_repaired_is_repaired_later(tmp_path: Path, faults: Faults) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path), pending_limit=2) as log:
        record = await log.room()
        _, listener = await log.open()
        for number in range(5):
            await log.post(record, str(number))
        faults.on = raising("BEGIN", times=1)
        heard = listener.following.take()
        await log.desk.do(lambda store: None)  # behind the failed repair
        wakes = listener.wakes
        await log.journal.keep_house()
        await log.desk.do(lambda store: None)
        assert listener.wakes == wakes + 1
        heard += await listener.hear(3)
        assert [entry.seq for entry in heard] == [1, 2, 3, 4, 5]


async def test_one_poisonous_draft_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        _, listener = await log.open()
        encode = batch.encode

        def stumbling(body: object) -> bytes:
            if body == message("poison"):
                raise RuntimeError("a fault of ours")
            return encode(body)  # type: ignore[arg-type]

        monkeypatch.setattr(batch, "encode", stumbling)
        drafts = [log.draft(record, message(text)) for text in ("one", "poison", "two")]
        for draft, _ in drafts:
            log.desk.append(draft)
        outcomes = [await verdict.wait() for _, verdict in drafts]
        assert [reason(outcome) for outcome in outcomes] == [None, Reason.INTERNAL, None]
        assert [entry.body for entry in await listener.hear(2)] == [message("one"), message("two")]


@pytest.mark.parametrize("together", [500, 1])
async def test_damage_that_keeps_every_message_out_is_said_and_costs_little(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    """Each batch was halved down to single drafts, the database opened anew for each half: seconds of the writer, 1,023
    attempts for 512 drafts. The answers were `internal`, and `corrupt`, said once, was the only alarm."""
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        calls: list[str] = []
        count_calls(monkeypatch, calls, "commit", "open")
        faults.on = raising("INSERT OR ROLLBACK INTO entries", damage)
        for _ in range(2):
            log.gather()
            drafts = [log.draft(record, message(str(n))) for n in range(together)]
            for draft, _ in drafts:
                log.desk.append(draft)
            refused = [await verdict.wait() for _, verdict in drafts]
            assert {reason(outcome) for outcome in refused} == {Reason.UNAVAILABLE}
            assert all(isinstance(outcome, Refused) and outcome.retry_after_ms for outcome in refused)
        assert calls.count("commit") < 2 * 40
        assert calls.count("open") <= 2
        for _ in range(2):
            log.desk.seen(BO, message("").nickname)
            await log.journal.keep_house()  # which can be written, yet nobody is helped by that
        assert [alarm.kind for alarm in log.alarms] == ["corrupt", "failed"]
        faults.clear()
        await log.post(record, "hi")
        assert [alarm.kind for alarm in log.alarms] == ["corrupt", "failed", "recovered"]


async def test_what_one_message_alone_cannot_have_is_not_the_journals_failure(tmp_path: Path, faults: Faults) -> None:
    """Its retries are refused again and again, while it is quiet; a damaged row may have no more to it than that."""
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        faults.on = raising("INSERT OR ROLLBACK INTO entries", damage)
        for _ in range(3):
            assert reason(await log.append(record, "hi", cid="c")) is Reason.UNAVAILABLE
        assert [alarm.kind for alarm in log.alarms] == ["corrupt"]


def damage() -> Exception:
    return io_error("database disk image is malformed", sqlite3.SQLITE_CORRUPT)


def count_calls(monkeypatch: pytest.MonkeyPatch, calls: list[str], *names: str) -> None:
    def counted(name: str) -> Callable[..., object]:
        real = getattr(Store, name)

        def call(*args: object) -> object:
            calls.append(name)
            return real(*args)

        return call

    for name in names:
        monkeypatch.setattr(Store, name, counted(name))


async def test_under_the_bound_messages_are_refused_and_order_is_kept(tmp_path: Path) -> None:
    free = [10_000]
    setup = setup_for(Durability.POWER, tmp_path, min_free_bytes=5_000, free=lambda path: free[0])
    async with keeping(setup) as log:
        record = await log.room()
        await log.post(record, "one", cid="c")
        await log.desk.react(STAGE, 1, ANA, "+1", True)
        free[0] = 4_999
        log.clock.pass_by(1.0)
        for body in (message("two"), Edited(1, "two")):
            refused = await log.append(record, body)
            assert isinstance(refused, Refused)
            assert refused.reason is Reason.UNAVAILABLE
            assert "disk" in refused.message
        with pytest.raises(LogFailed, match="disk") as full:
            await log.desk.react(STAGE, 1, BO, "+1", True)
        assert full.value.retry_after_ms == 10_000
        assert await log.desk.react(STAGE, 1, ANA, "+1", False) == {}
        assert (await log.post(record, "one", cid="c")).dup
        assert isinstance(await log.append(record, PolicyChanged(Policy(frozen=True))), Stored)
        assert isinstance(await log.append(record, Deleted(1)), Stored)
        free[0] = 5_000
        assert reason(await log.append(record, "too soon to know")) is Reason.UNAVAILABLE
        log.clock.pass_by(1.0)
        await log.post(record, "three")
        assert [alarm.kind for alarm in log.alarms] == ["disk_low", "disk_ok"]


async def test_a_ballast_is_kept_and_thrown_out_when_the_disk_is_full(tmp_path: Path, faults: Faults) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        ballast = tmp_path / "journal.db.ballast"
        await log.post(record, "hi")
        assert ballast.stat().st_size == BALLAST_BYTES
        full = lambda: io_error("database or disk is full", sqlite3.SQLITE_FULL)  # noqa: E731
        faults.on = raising("INSERT OR ROLLBACK INTO entries", full, times=1)
        assert reason(await log.append(record, "ho")) is Reason.UNAVAILABLE
        assert not ballast.exists()
        log.clock.pass_by(1.0)
        await log.post(record, "ho")
        assert ballast.exists()


async def test_a_mark_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Marks, "write", full)
        await log.post(record, "hi")


# The actor's own faults, its end, its restarts


async def test_a_fault_of_the_desk_ends_one_life_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(setup_for(Durability.POWER, tmp_path)) as (desk, _, restarted):
        record = await desk.create(STAGE, RoomCode("blue-stage-42"), "Main")
        _, following = await desk.open(STAGE, 10, lambda: None)
        count = Desk._count

        def stumble(*_: object) -> None:
            monkeypatch.setattr(Desk, "_count", count)
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(Desk, "_count", stumble)
        outcomes = await post(desk, record, 1)
        assert reason(outcomes[0]) is Reason.UNAVAILABLE
        await restarted.wait()
        outcomes = await post(desk, record, 2)
        assert [outcome.dup for outcome in outcomes] == [True, False]  # the first had been committed
        assert [entry.seq for entry in following.take()] == [1, 2]


@pytest.mark.parametrize("by", ["a fault of the desk", "its own crash"])
async def test_what_comes_while_a_crashed_journal_closes_does_not_lock_the_next_one_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Drafts and reactions that came behind the close opened the closed store again, in the thread of the life that was
    over: nobody ever closed that one, and all later lives found the journal "in use by another server"."""
    token, closing, go = trio.lowlevel.current_trio_token(), trio.Event(), threading.Event()
    close = Store.close

    def slowly(store: Store) -> None:
        monkeypatch.setattr(Store, "close", close)
        token.run_sync_soon(closing.set)
        go.wait(GUARD_S)
        close(store)

    async with supervised(setup_for(Durability.POWER, tmp_path)) as (desk, _, restarted):
        record = await desk.create(STAGE, RoomCode("blue-stage-42"), "Main")
        await post(desk, record, 1)
        _, following = await desk.open(STAGE, 10, lambda: None)
        monkeypatch.setattr(Store, "close", slowly)
        with trio.fail_after(GUARD_S):
            crash(desk, record, monkeypatch, by)
            await closing.wait()
            failed: list[LogFailed] = []
            verdict = Verdict()
            desk.append(_draft(record, 1, verdict))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_failing, failed, lambda: desk.react(STAGE, 1, ANA, "+1", True))
                nursery.start_soon(_failing, failed, lambda: desk.do(Store.wipe))
                await trio.testing.wait_all_tasks_blocked()
                following.lag()
                go.set()
            assert len(failed) == 2
            assert reason(await verdict.wait()) is Reason.UNAVAILABLE  # not draining: nobody stops the server
            await restarted.wait()
            assert [type(outcome) for outcome in await post(desk, record, 3)] == [Stored] * 3


def crash(desk: Desk, record: RoomRecord, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    what, name = (Desk, "_spread") if by == "a fault of the desk" else (Journal, "keep_house")
    real = getattr(what, name)

    def stumble(*_: object) -> None:
        monkeypatch.setattr(what, name, real)
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(actor, "TICK_S", 0.01)
    monkeypatch.setattr(what, name, stumble)
    desk.append(_draft(record, 0, Verdict()))


async def _failing(failed: list[LogFailed], call: Callable[[], Awaitable[object]]) -> None:
    try:
        await call()
    except LogFailed as error:
        failed.append(error)


async def test_a_fault_that_shows_when_a_doubtful_commit_is_made_again_is_answered(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended the journal's life: what is tried again after a failed COMMIT was guarded against the disk alone."""
    async with keeping(setup_for(Durability.POWER, tmp_path)) as log:
        record = await log.room()
        encode = batch.encode
        encoded: list[object] = []

        def stumbling(body: object) -> bytes:
            encoded.append(body)
            if body == message("poison") and encoded.count(body) > 1:
                raise RuntimeError("a fault of ours")
            return encode(body)  # type: ignore[arg-type]

        def fail_once(sql: str) -> None:
            if sql == "COMMIT" and message("poison") in encoded:
                faults.clear()
                raise io_error()

        monkeypatch.setattr(batch, "encode", stumbling)
        faults.on = fail_once
        drafts = [log.draft(record, message(text)) for text in ("one", "poison")]
        log.gather()
        for draft, _ in drafts:
            log.desk.append(draft)
        assert [reason(await verdict.wait()) for _, verdict in drafts] == [None, Reason.INTERNAL]
        assert not log.desk.faulted.is_set()


async def post(desk: Desk, record: RoomRecord, number: int) -> list[Outcome]:
    verdicts = [Verdict() for _ in range(number)]
    for index, verdict in enumerate(verdicts):
        desk.append(_draft(record, index, verdict))
    return [await verdict.wait() for verdict in verdicts]


def _draft(record: RoomRecord, index: int, verdict: Verdict) -> Draft:
    return Draft(record.name, record.epoch, MemberId("m_ana"), Cid(f"c{index}"), message(str(index)), verdict)


async def test_an_ordered_stop_commits_what_it_holds(tmp_path: Path) -> None:
    setup = setup_for(Durability.POWER, tmp_path)
    async with supervised(setup) as (desk, supervisor, _):
        record = await desk.create(STAGE, RoomCode("blue-stage-42"), "Main")
        verdicts = [Verdict() for _ in range(2_000)]
        for index, verdict in enumerate(verdicts):
            desk.append(_draft(record, index, verdict))
        desk.seen(ANA, message("").nickname)
        with trio.fail_after(GUARD_S):
            await supervisor.shutdown()
        assert [type(await verdict.wait()) for verdict in verdicts] == [Stored] * 2_000
        late = Verdict()
        desk.append(_draft(record, 2_000, late))
        assert reason(await late.wait()) is Reason.DRAINING
        with pytest.raises((LogFailed, ActorGone)):
            await desk.rooms()
    assert not (tmp_path / "journal.db-wal").exists()
    async with keeping(setup) as log:
        assert (await log.open())[0].record.head == 2_000
        row = await log.desk.roster(ANA)
        assert row is not None


async def test_a_cancelled_journal_closes_its_database_all_the_same(tmp_path: Path) -> None:
    setup = setup_for(Durability.PROCESS, tmp_path)
    with trio.CancelScope() as scope:
        async with keeping(setup) as log:
            record = await log.room()
            draft, verdict = log.draft(record, message("hi"))
            log.desk.append(draft)
            scope.cancel()
            await trio.sleep_forever()
    assert len(verdict.outcomes) == 1
    async with keeping(setup_for(Durability.PROCESS, tmp_path, boot=lambda: "boot-2")) as log:
        assert (await log.room()).epoch == record.epoch  # it was a clean stop
