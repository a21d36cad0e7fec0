"""admin.db: its operators, acts, events, reports and standing; two processes on it; and a disk that fails."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from actors.admin import store_schema
from actors.admin.acts import Act, ActState, CidReused, digest_of
from actors.admin.operators import LOCAL, BadOperator, hash_password, operator_name
from actors.admin.roles import Role
from actors.admin.store import WAITING_LIMIT, AdminStore, AdminUnusable, StoreFailed
from actors.admin.store_audit import verify
from actors.names import MemberId, RoomName
from actors.people.standing import Sanction, Standing
from actors.stats.activity import Event

NOW = 1e9


@pytest.fixture
async def store() -> AsyncIterator[AdminStore]:
    async with await AdminStore.open(None, wall=lambda: NOW) as store:
        yield store


# -- operators ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["Ana", " ana ", "ＡＮＡ", "ANA"])
def test_a_name_is_kept_in_one_writing(typed: str) -> None:
    assert operator_name(typed) == "ana"


@pytest.mark.parametrize(
    "typed", ["", " ", "a b", ".ana", "ana-", "анa", "a" * 65, "token:x", "ana\n2", "a\x1b[1m", LOCAL, "Lo\u0441al"]
)
def test_a_name_that_misleads_is_none(typed: str) -> None:
    with pytest.raises(BadOperator):
        operator_name(typed)


@given(st.text(max_size=80))
def test_any_text_is_a_plain_name_or_none(typed: str) -> None:
    try:
        name = operator_name(typed)
    except BadOperator:
        return
    assert name.isascii()
    assert name.isprintable()
    assert operator_name(name) == name


@pytest.mark.parametrize("password", ["", "short", "x" * 257, "aaaaaaaaaaaa", "anaanaanaana"])
def test_a_password_that_is_easily_guessed_is_refused(password: str) -> None:
    with pytest.raises(BadOperator) as caught:
        hash_password("ana", password)
    assert not password or password not in str(caught.value)


async def test_a_name_is_unique_in_any_writing(store: AdminStore) -> None:
    await store.operators.add("ana", Role.OWNER, "hash")
    with pytest.raises(BadOperator, match="already"):
        await store.operators.add("ANA", Role.VIEWER, "hash")
    assert [(each.name, each.role) for each in await store.operators.list()] == [("ana", Role.OWNER)]


async def test_the_last_owner_stays(store: AdminStore) -> None:
    add, update, remove = store.operators.add, store.operators.update, store.operators.remove
    await add("ana", Role.OWNER, "hash")
    await add("bo", Role.SAFETY, "hash")
    await add("cy", Role.OWNER, "hash")
    await update("cy", disabled=True)  # an owner who cannot sign in is none
    for change in (remove("ana"), update("ana", role=Role.SAFETY), update("ana", disabled=True)):
        with pytest.raises(BadOperator, match="ana is the last owner"):
            await change
    await update("ana", password_hash="another")
    await update("cy", disabled=False)
    await update("ana", role=Role.VIEWER)
    with pytest.raises(BadOperator, match="cy is the last owner"):
        await remove("cy")
    await remove("ana")
    await remove("bo")
    assert [each.name for each in await store.operators.list()] == ["cy"]
    for gone in (remove("ana"), update("ana", disabled=True)):
        with pytest.raises(BadOperator, match="there is no operator ana"):
            await gone


async def test_sessions_of_one_operator_are_bounded(store: AdminStore) -> None:
    await store.operators.add("ana", Role.OWNER, "hash")
    begun = [await store.sessions.begin("ana", "a") for _ in range(30)]
    assert begun[-1] is not None
    living = await store.sessions.list()
    assert len(living) == 20
    assert begun[-1][0].id in {each.id for each in living}
    assert await store.sessions.begin("nobody", "a") is None


async def test_no_token_outlives_what_its_author_may(store: AdminStore) -> None:
    """An owner who was removed kept the house by a token of theirs."""
    for name in ("ana", "eve"):
        await store.operators.add(name, Role.OWNER, "hash")
    made = [("wall", Role.VIEWER, "eve"), ("robot", Role.OWNER, "eve"), ("its-own", Role.SAFETY, "token:robot")]
    for name, role, author in (*made, ("kept", Role.OWNER, "ana"), ("shell", Role.OWNER, LOCAL)):
        await store.tokens.create(name, role, author)

    async def in_force() -> set[str]:
        return {token.name for token in (await store.tokens.in_force()).values()}

    await store.operators.update("eve", password_hash="another")
    assert await in_force() == {"wall", "robot", "its-own", "kept", "shell"}
    await store.operators.update("eve", role=Role.SAFETY)
    assert await in_force() == {"wall", "kept", "shell"}
    await store.operators.remove("eve")
    assert await in_force() == {"kept", "shell"}
    await store.tokens.create("wall", Role.VIEWER, "ana")
    await store.tokens.create("tv", Role.VIEWER, "ana")
    await store.operators.update("ana", disabled=False)
    assert await in_force() == {"kept", "shell", "wall", "tv"}


# -- acts --------------------------------------------------------------------------------------------------------------


def act(cid: str = "c1", operator: str = "ana", **more: object) -> Act:
    body = {"room": "a"}
    values = {"digest": digest_of("room.freeze", body), **more}
    return Act(f"act_{operator}_{cid}", operator, cid, at=NOW, command="room.freeze", body=body, **values)  # type: ignore[arg-type]


async def test_a_repeated_order_is_answered_what_it_was_answered(store: AdminStore) -> None:
    first = act(outcome={"affected": 3}, undo=[["room:a", "frozen", False, True]], undo_until=NOW + 600)
    assert await store.acts.begin(act()) is None
    assert [each.state for each in await store.acts.begun()] == [ActState.BEGUN]
    await store.acts.save(first)
    found = await store.acts.get(first.act)
    assert isinstance(found, Act)
    assert (found.outcome, found.undo, found.state) == ({"affected": 3}, first.undo, ActState.DONE)
    assert await store.acts.begin(act()) == found
    other = digest_of("room.freeze", {"room": "b"})
    assert await store.acts.begin(act(digest=other)) == CidReused(first.act)
    assert await store.acts.begin(act(operator="bo")) is None


async def test_a_refused_order_may_be_tried_again(store: AdminStore) -> None:
    assert await store.acts.begin(act()) is None
    await store.acts.drop(act().act)
    assert await store.acts.begin(act()) is None
    await store.acts.save(act(outcome={}))
    await store.acts.drop(act().act)
    assert await store.acts.get(act().act) is not None


async def test_acts_are_listed_and_the_last_of_a_sort_is_found(store: AdminStore) -> None:
    for n, until in enumerate((30.0, 10.0, 20.0, None)):
        await store.acts.save(act(f"c{n}", outcome={}, undo=[], undo_until=until))
    assert [each.cid for each in await store.acts.undoable(15.0)] == ["c0", "c2"]
    await store.acts.begin(act("c9", operator="bo"))
    last = await store.acts.last_of(("room.freeze", "room.thaw"), "a")
    assert last is not None
    assert last.cid == "c3", "not one that was only begun"
    assert await store.acts.last_of(("room.freeze",), "b") is None
    await store.acts.drop("act_bo_c9")
    assert [each.cid for each in await store.acts.page(limit=3)] == ["c3", "c2", "c1"]
    assert [each.cid for each in await store.acts.page(before=2, operator="ana")] == ["c0"]
    assert await store.acts.page(operator="bo") == ()


def test_a_digest_is_of_the_meaning() -> None:
    assert digest_of("a", {"x": 1, "y": 2}) == digest_of("a", {"y": 2, "x": 1})
    assert len({digest_of("a", {}), digest_of("b", {}), digest_of("a", {"x": 1}), digest_of("a", {"x": "1"})}) == 4


# -- the feed and the reports ------------------------------------------------------------------------------------------


async def test_the_feed_pages_filters_and_is_pruned(store: AdminStore) -> None:
    kinds = ("act", "room", "minute")
    events = [
        Event(
            n, NOW + n, kinds[n % 3], f"t{n}", room=f"r{n % 2}", operator="ana" if n % 3 == 0 else None, data={"n": n}
        )
        for n in range(1, 21)
    ]
    await store.activity.append(events)
    await store.activity.append([Event(20, 0.0, "act", "again"), Event(21, NOW + 21, "act", "new")])
    page = store.activity.page
    assert [e.n for e in await page(limit=3)] == [21, 20, 19]
    assert (await page(before=21, limit=1))[0] == events[-1]
    assert [e.n for e in await page(kind="room", room="r1")] == [19, 13, 7, 1]
    assert [e.n for e in await page(operator="ana", limit=2)] == [18, 15]
    assert [e.n for e in await page(since=NOW + 3, until=NOW + 5)] == [4, 3]
    assert [e.n for e in await store.activity.last(2)] == [20, 21]
    assert await store.activity.prune(NOW + 11) == 10
    assert await store.activity.prune(NOW + 1_000) == 10
    assert [e.n for e in await page()] == [21]


async def test_reports_are_made_once_and_resolved(store: AdminStore) -> None:
    add = store.reports.add
    assert [await add(NOW, "a", "k1", 7, "m_1", why) for why in ("spam", "again")] == [1, "known"]
    assert await add(NOW, "a", "k1", 7, "m_2", "spam") == 2
    assert await store.reports.resolve(1, "done", "ana", NOW + 1)
    assert not await store.reports.resolve(9, "done", "ana", NOW)
    assert [each.id for each in await store.reports.page()] == [2]
    assert [(each.id, each.outcome) for each in await store.reports.page(open=False)] == [(2, None), (1, "done")]
    assert await store.reports.resolve(1, None, "ana", NOW)
    found = await store.reports.get(1)
    assert found is not None
    assert (found.why, found.outcome, found.resolver, found.resolved) == ("spam", None, None, None)


async def test_open_reports_are_bounded(store: AdminStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.admin.store_activity.OPEN_MOST", 5)
    monkeypatch.setattr("actors.admin.store_activity.OPEN_OF_ONE", 3)
    for member, expected in ("m", [1, 2, 3, "full"]), ("n", [4, 5, "full"]), ("o", ["full"]):
        assert [await store.reports.add(NOW, "a", "k", seq, member, "") for seq in range(len(expected))] == expected
    await store.reports.resolve(1, "done", "ana", NOW)
    assert await store.reports.add(NOW, "a", "k", 9, "m", "") == 6


# -- the standing ------------------------------------------------------------------------------------------------------


async def test_the_standing_comes_back_as_it_was(store: AdminStore) -> None:
    standing = Standing(3, NOW, "a fight", {MemberId("m_1"): "medic"}, {MemberId("m_2"): "DJ"})
    standing.put(Sanction("mute", MemberId("m_3"), room=RoomName("a"), until=NOW + 10, reason="spam", act="act_1"))
    standing.put(Sanction("ban", None, "10.0.0.1"))
    standing.put(Sanction("ban", MemberId("m_4"), until=NOW - 1))
    standing.revoked[MemberId("m_5")] = 1_790_000_000
    await store.standing.save(standing)
    again = Standing()
    await store.standing.load(again)
    # Also what has run out meanwhile: the act that laid it is still to be taken out from over what it replaced.
    assert set(again.sanctions()) == set(standing.sanctions())
    assert (again.lockdown, again.lockdown_since, again.lockdown_reason) == (3, NOW, "a fight")
    assert (again.roles, again.badges, again.revoked) == (standing.roles, standing.badges, standing.revoked)
    again.lift(lambda sanction: sanction.kind == "mute")
    again.roles.clear()
    await store.standing.save(again)
    third = Standing()
    await store.standing.load(third)
    assert third.roles == {}
    assert {each.address or each.member for each in third.sanctions()} == {"10.0.0.1", "m_4"}


async def test_an_erased_member_leaves_a_bare_number(tmp_path: Path) -> None:
    member = MemberId("m_erased")
    standing = Standing(roles={member: "medic"}, badges={member: "Dr Who"})
    standing.put(Sanction("ban", member, reason="Dr Who was rude"))
    standing.put(Sanction("ban", MemberId("m_other"), reason="rude"))
    path = tmp_path / "admin.db"
    async with await AdminStore.open(path) as store:
        await store.standing.save(standing)
        await store.activity.append([Event(1, NOW, "report", "Dr Who said", member=member, data={"x": "Dr Who"})])
        await store.reports.add(NOW, "a", "k", 1, member, "Dr Who is cross")
        await store.standing.erase_member(member)
        again = Standing()
        await store.standing.load(again)
        assert (again.roles, again.badges) == ({}, {})
        assert {each.member: each.reason for each in again.sanctions()} == {member: "(erased)", "m_other": "rude"}
        assert [(each.text, each.member) for each in await store.activity.page()] == [("(erased)", None)]
        assert [(each.why, each.member) for each in await store.reports.page()] == [("(erased)", "")]
    assert b"Dr Who" not in path.read_bytes()


# -- the file ----------------------------------------------------------------------------------------------------------


async def test_everything_is_there_after_a_restart_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "admin.db"
    async with await AdminStore.open(path) as store:
        await store.operators.add("ana", Role.OWNER, "hash")
        for name in ("admin.db", "admin.db-wal", "admin.db-shm", "admin.key"):
            assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
        assert await store.run(lambda db: db.execute("PRAGMA synchronous").fetchone()) == (2,)
        assert await store.run(lambda db: db.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    async with await AdminStore.open(path) as store:
        assert await store.operators.count() == 1
    await store.close()
    with pytest.raises(StoreFailed, match="closed"):
        await store.operators.count()


def pragma(path: Path, text: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA {text}")
        db.execute("CREATE TABLE IF NOT EXISTS t (x)")
        db.commit()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("no database" * 99), "is not a database"),
        (lambda path: pragma(path, "application_id=7"), "of another program"),
        (lambda path: path.mkdir(), "cannot be used"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 9_000), "is damaged|not a database"),
    ],
    ids=["text", "another's", "folder", "damaged"],
)
async def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, make: object, said: str) -> None:
    path = tmp_path / "admin.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(AdminUnusable, match=said) as caught:
        await AdminStore.open(path)
    assert str(path) in str(caught.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_a_newer_file_and_no_folder_are_told_clearly(tmp_path: Path) -> None:
    path = tmp_path / "admin.db"
    await (await AdminStore.open(path)).close()
    pragma(path, f"user_version={len(store_schema.MIGRATIONS) + 1}")
    with pytest.raises(AdminUnusable, match="written by a newer release"):
        await AdminStore.open(path)
    with pytest.raises(AdminUnusable, match="there is no folder"):
        await AdminStore.open(tmp_path / "gone" / "admin.db")


async def test_a_locked_file_is_a_typed_failure_in_time_and_the_loop_runs_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_schema, "BUSY_TIMEOUT_S", 0.2)
    path = tmp_path / "admin.db"
    async with await AdminStore.open(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            turns = 0
            async with trio.open_nursery() as nursery:

                async def count() -> None:
                    nonlocal turns
                    while True:
                        turns += 1
                        await trio.lowlevel.checkpoint()

                nursery.start_soon(count)
                with pytest.raises(StoreFailed, match="cannot be used now") as caught:
                    await store.audit.append("ana", "a", "room.freeze", {})
                nursery.cancel_scope.cancel()
            assert caught.value.retry_after_s > 0
            assert turns > 100
            assert await store.operators.count() == 0  # reading goes on
            other.execute("ROLLBACK")
        assert await store.audit.append("ana", "a", "room.freeze", {}) == 1


async def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    async with await AdminStore.open(tmp_path / "admin.db") as store:

        def job(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO standing VALUES ('a', 'b', 'c')")
            db.execute("INSERT INTO nowhere VALUES (1)")

        with pytest.raises(StoreFailed):
            await store.run(job, write=True)
        assert await store.run(lambda db: db.execute("SELECT count(*) FROM standing").fetchone()) == (0,)


async def test_calls_that_wait_are_bounded(tmp_path: Path) -> None:
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        failed = 0

        async def one() -> None:
            nonlocal failed
            try:
                await store.operators.count()
            except StoreFailed:
                failed += 1

        async with trio.open_nursery() as nursery:
            for _ in range(WAITING_LIMIT + 7):
                nursery.start_soon(one)
        assert failed == 7
        assert await store.operators.count() == 0


async def test_a_cancelled_call_does_not_stop_the_next(tmp_path: Path) -> None:
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.audit.append("ana", "a", "room.freeze", {})
        assert await store.audit.append("ana", "a", "room.freeze", {}) == 2


def test_a_new_file_that_another_process_is_just_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a server and a command line that were started together on a new file one was told that it is locked, in a
    millisecond: SQLite waits for no lock that a change of the journal's mode needs."""
    path = tmp_path / "admin.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(store_schema.time, "sleep", lambda _seconds: other.execute("ROLLBACK"))
        with closing(store_schema.connect(path)) as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_whoever_holds_a_new_file_for_long_is_not_waited_for_any_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_schema, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "admin.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store_schema.connect(path)


PROCESS = """
import sys, trio
from pathlib import Path
from actors.admin import store_schema
from actors.admin.roles import Role
from actors.admin.store import AdminStore
store_schema.BUSY_TIMEOUT_S = 60.0  # three that never rest may keep one of them waiting longer than people do
async def main():
    who = sys.argv[2]
    async with await AdminStore.open(Path(sys.argv[1])) as store:
        for n in range(40):
            await store.audit.append(who, "local", "operator.add", {"n": n})
            await store.operators.add(f"{who}{n}", Role.VIEWER, "hash")
            if n % 10 == 0:
                await store.audit.copy_head()
trio.run(main)
"""


def test_several_processes_share_the_file_and_the_chain_stays_whole(tmp_path: Path) -> None:
    """The server and the command line, from the first moment on, when none of the files is there."""
    path = tmp_path / "admin.db"
    running = [
        subprocess.Popen([sys.executable, "-c", PROCESS, path, who], stderr=subprocess.PIPE, text=True)
        for who in ("ana", "bo", "cy")
    ]
    for each in running:
        _, said = each.communicate(timeout=120)
        assert (each.returncode, said) == (0, "")
    assert verify(path, tmp_path / "admin.key", tmp_path / "admin.heads") == []
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*), max(id) FROM audit").fetchone() == (120, 120)
        assert db.execute("SELECT count(*) FROM operators").fetchone() == (120,)
