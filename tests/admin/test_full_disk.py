"""admin.db and alerts.db on a disk that takes nothing: they are read, operators get in, and it is told."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from attrs import evolve

from actors.admin.orders import Denied
from actors.admin.roles import Role
from actors.admin.signin import Signed, SignIn
from actors.admin.store import AdminStore, AdminUnusable, key_path
from actors.alerts.store import Store, Work
from actors.journal.log import JournalUnusable
from gateway.closed_chat import make_room
from tests.alerts.making import draft
from tests.alerts.test_store import begun, reopened
from tests.small_disk import fill, mounted

PASSWORD = "four unrelated words"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Of 3 MiB, for those who may mount one."""
    with mounted(tmp_path / "disk", 3) as folder:
        yield folder


async def test_operators_get_in_on_a_full_disk_and_are_on_record_afterwards(
    disk: Path, tmp_path: Path, quick_hashes: None
) -> None:
    alarms: list[str] = []
    where = (disk / "admin.db", tmp_path / "admin.key", tmp_path / "admin.heads")
    async with await AdminStore.open(*where) as store:
        first = SignIn(store)
        code = await first.offer_setup()
        assert isinstance(await first.setup(code or "", "ana", PASSWORD, "x", secure=True), Signed)
    filler = fill(disk)
    async with await AdminStore.open(*where, alarm=alarms.append) as store:
        sign_in = SignIn(store)
        await sign_in.refresh()
        assert not sign_in.needs_setup
        assert len(alarms) == 1
        assert "full" in alarms[0]
        assert isinstance(await sign_in.password("ana", "not this one", "x", secure=True), Denied)
        signed = await sign_in.password("ana", PASSWORD, "y", secure=True)
        assert isinstance(signed, Signed)
        again = await sign_in.token(signed.token, "y", secure=True)
        assert isinstance(again, Signed)
        assert (again.session, again.role) == (signed.session, Role.OWNER)
        await sign_in.refresh()
        assert sign_in.still(signed.session) is Role.OWNER
        filler.unlink()
        await sign_in.record_counted()
        assert alarms[1:] == [""]
        rows = await store.audit.page(limit=10)
        assert ("ana", "session.begin", "y", "ok") in [(r.operator, r.command, r.address, r.result) for r in rows]
        async with await AdminStore.open(*where) as beside:
            assert await beside.operators.count() == 1, "others get in beside it again"
        await sign_in.end_session(signed.session)
        assert isinstance(await sign_in.token(signed.token, "y", secure=True), Denied)


def test_alerts_in_force_are_read_from_a_full_disk_and_recorded_when_there_is_room(disk: Path) -> None:
    first, second = begun(draft()).alert, evolve(begun(draft()).alert, rev=2)
    store = Store(disk / "alerts.db", 1e9)
    store.save(Work([first]), 0.0)
    store.close()
    filler = fill(disk)
    (found,) = store.load(first.sent).ledgers
    assert found.alert == first
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.save(Work([second]), 0.0)
    assert len(store.load(first.sent).ledgers) == 1
    filler.unlink()
    store.save(Work([second]), 0.0)
    assert [each.alert.rev for each in reopened(disk / "alerts.db").ledgers] == [1, 2], "others read beside it again"
    store.close()


async def test_what_cannot_be_made_is_said_with_its_place(disk: Path, tmp_path: Path) -> None:
    fill(disk)
    with pytest.raises(AdminUnusable, match=f"{disk}/admin.db cannot be made .*make room on the disk of {disk}"):
        await AdminStore.open(disk / "admin.db", key_path(tmp_path / "admin.db"))
    with pytest.raises(JournalUnusable, match=f"{disk}/journal.db cannot be made: .* is full; make room"):
        await trio.to_thread.run_sync(make_room, disk / "journal.db", [])


def test_the_ballasts_go_before_the_chat_does_and_no_more_of_them_than_needed(disk: Path) -> None:
    databases = [disk / "journal.db", disk / "alerts.db"]
    for database in databases:
        database.write_bytes(b"there")
    assert make_room(databases[0], databases) == ""
    (disk / "journal.db.ballast").write_bytes(bytes(3 << 19))
    (disk / "alerts.db.ballast").write_bytes(bytes(1 << 16))
    fill(disk)
    assert make_room(databases[0], databases) == ""
    assert [path.name for path in disk.glob("*.ballast")] == ["alerts.db.ballast"]
    (disk / "filler").rename(disk / "filler-1")
    fill(disk)
    said = make_room(databases[0], databases)
    assert f"the disk of {disk} is full" in said
    assert [*disk.glob("*.ballast"), *disk.glob("*.room")] == []


def test_what_else_is_wrong_with_a_place_is_told_by_who_opens_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert make_room(tmp_path / "journal.db", [tmp_path / "file" / "alerts.db"]) == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
