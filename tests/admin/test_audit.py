"""The record of orders: whatever is done to it without the key is found."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from actors.admin.audit import AuditKey, AuditRow, Finding, Head, canonical, head_seal, line_of, mac_of
from actors.admin.keyfile import AdminKeyError, load, load_or_create
from actors.admin.store import AdminStore, AdminUnusable
from actors.admin.store_audit import COLUMNS, verify, verify_files

ROWS = 40
COPIED_AT = 30
TEXTS = ("operator", "address", "command", "args", "reason", "result", "act")


async def write(folder: Path, rows: int = ROWS, copied_at: int = COPIED_AT) -> None:
    """A log whose end was copied out after the row `copied_at`, and not since."""
    async with await AdminStore.open(folder / "admin.db") as store:
        for n in range(1, rows + 1):
            command = random.choice(["room.freeze", "member.mute", "alert.raise"])
            await store.audit.append(
                "ana", "10.0.0.1", command, {"room": f"r{n}"}, f"why {n}", "ok", f"act_{n}", 1e9 + n
            )
            if n == copied_at:
                await store.audit.copy_head()
                heads = (folder / "admin.heads").read_bytes()
    (folder / "admin.heads").write_bytes(heads)  # as a power cut leaves it: the copy at the close has not been made


def checked(folder: Path) -> list[Finding]:
    return verify(folder / "admin.db", folder / "admin.key", folder / "admin.heads")


def change(folder: Path, work: Callable[[sqlite3.Connection], object]) -> None:
    """As somebody who has the file, and not the key."""
    with closing(sqlite3.connect(folder / "admin.db", isolation_level=None)) as db:
        db.execute("DROP TRIGGER IF EXISTS audit_kept")
        db.execute("DROP TRIGGER IF EXISTS audit_fixed")
        work(db)


# -- what somebody might do --------------------------------------------------------------------------------------------

Mutation = Callable[[sqlite3.Connection, random.Random], object]


def flip_text(db: sqlite3.Connection, dice: random.Random) -> None:
    row, column = dice.randint(1, ROWS), dice.choice(TEXTS)
    (was,) = db.execute(f"SELECT {column} FROM audit WHERE id = ?", (row,)).fetchone()
    at = dice.randrange(len(was))
    flipped = was[:at] + chr(ord(was[at]) ^ (1 << dice.randrange(6))) + was[at + 1 :]
    db.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (flipped, row))


def change_type(db: sqlite3.Connection, dice: random.Random) -> None:
    row, column = dice.randint(1, ROWS), dice.choice([*TEXTS, "at", "mac"])
    value = (
        dice.choice([b"x", b"\xff\xfe", "", "\0"]) if column not in ("at", "mac") else dice.choice(["x", b"", 9e999])
    )
    db.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (value, row))


def move_time(db: sqlite3.Connection, dice: random.Random) -> None:
    db.execute("UPDATE audit SET at = at + ? WHERE id = ?", (dice.choice([-1, 1e-6, 3600]), dice.randint(1, ROWS)))


def flip_mac(db: sqlite3.Connection, dice: random.Random) -> None:
    row = dice.randint(1, ROWS)
    (mac,) = db.execute("SELECT mac FROM audit WHERE id = ?", (row,)).fetchone()
    at = dice.randrange(32)
    db.execute("UPDATE audit SET mac = ? WHERE id = ?", (mac[:at] + bytes([mac[at] ^ 1]) + mac[at + 1 :], row))


def remove(db: sqlite3.Connection, dice: random.Random) -> None:
    db.execute("DELETE FROM audit WHERE id = ?", (dice.randint(1, ROWS),))


def remove_last(db: sqlite3.Connection, dice: random.Random) -> None:
    db.execute("DELETE FROM audit WHERE id = ?", (ROWS,))


def remove_and_close_the_gap(db: sqlite3.Connection, dice: random.Random) -> None:
    row = dice.randint(1, ROWS - 1)
    db.execute("DELETE FROM audit WHERE id = ?", (row,))
    for after in range(row + 1, ROWS + 1):
        db.execute("UPDATE audit SET id = ? WHERE id = ?", (after - 1, after))


def swap(db: sqlite3.Connection, dice: random.Random) -> None:
    one, other = dice.sample(range(1, ROWS + 1), 2)
    for was, now in ((one, -1), (other, one), (-1, other)):
        db.execute("UPDATE audit SET id = ? WHERE id = ?", (now, was))


def insert(db: sqlite3.Connection, dice: random.Random) -> None:
    at = dice.choice([0, -5, ROWS + 1, ROWS + 7])
    rest = COLUMNS.removeprefix("id, ")
    db.execute(f"INSERT INTO audit SELECT ?, {rest} FROM audit WHERE id = ?", (at, dice.randint(1, ROWS)))


def insert_in_the_middle(db: sqlite3.Connection, dice: random.Random) -> None:
    at, rest = dice.randint(1, ROWS), COLUMNS.removeprefix("id, ")
    for row in range(ROWS, at - 1, -1):
        db.execute("UPDATE audit SET id = ? WHERE id = ?", (row + 1, row))
    db.execute(f"INSERT INTO audit SELECT ?, {rest} FROM audit WHERE id = ?", (at, dice.choice([1, ROWS + 1])))


def truncate(db: sqlite3.Connection, dice: random.Random) -> None:
    db.execute("DELETE FROM audit WHERE id > ?", (dice.randint(0, ROWS - 1),))


def truncate_and_say_so(db: sqlite3.Connection, dice: random.Random) -> None:
    """With the place where the log ends set back as well, as far as that goes without the key."""
    end = dice.randint(1, ROWS - 1)
    db.execute("DELETE FROM audit WHERE id > ?", (end,))
    db.execute("UPDATE audit_head SET id = ?1, mac = (SELECT mac FROM audit WHERE id = ?1)", (end,))


def lose_the_end(db: sqlite3.Connection, dice: random.Random) -> None:
    db.execute("DELETE FROM audit WHERE id > ?", (dice.randint(1, ROWS - 1),))
    db.execute("DELETE FROM audit_head")


def recompute(db: sqlite3.Connection, dice: random.Random) -> None:
    """A whole chain, made with another key from a changed row on, or from the beginning."""
    forge(db, AuditKey(dice.randbytes(32)), dice.randint(1, ROWS), "somebody else")


def forge(db: sqlite3.Connection, key: AuditKey, first: int, operator: str) -> None:
    rows = [AuditRow(*cells) for cells in db.execute(f"SELECT {COLUMNS} FROM audit ORDER BY id")]
    before = bytes(32) if first == 1 else rows[first - 2].mac
    for row in rows[first - 1 :]:
        changed = AuditRow(row.id, row.at, operator, *(getattr(row, name) for name in TEXTS[1:]), b"")
        before = mac_of(key, before, changed)
        db.execute("UPDATE audit SET operator = ?, mac = ? WHERE id = ?", (operator, before, row.id))
    head = Head(rows[-1].id, before)
    db.execute("UPDATE audit_head SET id = ?, mac = ?, seal = ?", (head.id, head.mac, head_seal(key, head)))


MUTATIONS: tuple[Mutation, ...] = (
    flip_text, change_type, move_time, flip_mac, remove, remove_last, remove_and_close_the_gap, swap, insert,
    insert_in_the_middle, truncate, truncate_and_say_so, lose_the_end, recompute,
)  # fmt: skip


async def test_a_thousand_changes_are_all_found(tmp_path: Path, figures: Callable[[str], None]) -> None:
    (tmp_path / "whole").mkdir()
    await write(tmp_path / "whole")
    assert checked(tmp_path / "whole") == []
    unsealed = tmp_path / "unsealed"
    shutil.copytree(tmp_path / "whole", unsealed)
    change(unsealed, lambda db: None)
    pages = (unsealed / "admin.db").read_bytes()
    missed = []
    for number in range(1_000):
        mutation, dice = MUTATIONS[number % len(MUTATIONS)], random.Random(number)
        (unsealed / "admin.db").write_bytes(pages)
        with closing(sqlite3.connect(unsealed / "admin.db", isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=OFF")
            db.execute("BEGIN")
            mutation(db, dice)
            db.execute("COMMIT")
        if not checked(unsealed):
            missed.append((mutation.__name__, number))
    assert missed == []
    figures(f"1,000 changes of {len(MUTATIONS)} sorts to the audit, all found")


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_an_old_file_put_back_behind_the_copied_head_is_found(tmp_path: Path) -> None:
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        await store.audit.append("ana", "x", "room.freeze", {})
    old = (tmp_path / "admin.db").read_bytes()
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        await store.audit.append("ana", "x", "room.delete", {})
        await store.audit.append("ana", "x", "room.delete", {})
    assert checked(tmp_path) == []
    (tmp_path / "admin.db").write_bytes(old)
    assert checked(tmp_path) == [Finding(2, "and all up to row 3 are missing: their end was copied out")]


async def test_a_chain_that_goes_on_from_an_old_file_is_found(tmp_path: Path) -> None:
    """Even with the right key: somebody put an old file back, and the server wrote on."""
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        await store.audit.append("ana", "x", "room.freeze", {})
    old = (tmp_path / "admin.db").read_bytes()
    for text in ("the deed", "something harmless"):
        async with await AdminStore.open(tmp_path / "admin.db") as store:
            await store.audit.append("ana", "x", "room.delete", {"text": text})
        if text == "the deed":
            (tmp_path / "admin.db").write_bytes(old)
    assert [each.row for each in checked(tmp_path)] == [2]


async def test_a_row_of_another_history_under_the_same_key_does_not_fit_in(tmp_path: Path) -> None:
    """Each row is sealed to the one before it, so a true row of a log that went another way is found out."""
    for folder, reason in (("one", "a"), ("other", "b")):
        (tmp_path / folder).mkdir()
        load_or_create(tmp_path / "admin.key")
        shutil.copy(tmp_path / "admin.key", tmp_path / folder)
        async with await AdminStore.open(tmp_path / folder / "admin.db") as store:
            for _ in range(3):
                await store.audit.append("ana", "x", "room.freeze", {}, reason)
        assert checked(tmp_path / folder) == []

    def graft(db: sqlite3.Connection) -> None:
        db.execute("ATTACH ? AS other", (str(tmp_path / "other" / "admin.db"),))
        db.execute("DELETE FROM audit WHERE id = 2")
        db.execute("INSERT INTO audit SELECT * FROM other.audit WHERE id = 2")

    change(tmp_path / "one", graft)
    assert {2, 3} <= {each.row for each in checked(tmp_path / "one")}


async def test_the_last_row_cut_off_is_named(tmp_path: Path) -> None:
    await write(tmp_path)
    change(tmp_path, lambda db: db.execute("DELETE FROM audit WHERE id = ?", (ROWS,)))
    assert checked(tmp_path) == [Finding(ROWS, "is missing")]


async def test_the_whole_database_replaced_by_an_empty_one_is_found(tmp_path: Path) -> None:
    await write(tmp_path)
    (tmp_path / "admin.db").unlink()
    heads = (tmp_path / "admin.heads").read_bytes()
    await (await AdminStore.open(tmp_path / "admin.db")).close()
    assert [each.row for each in checked(tmp_path)] == [1]
    assert (tmp_path / "admin.heads").read_bytes().startswith(heads)


async def test_heads_that_are_gone_or_forged_are_found(tmp_path: Path) -> None:
    await write(tmp_path)
    heads = tmp_path / "admin.heads"
    good = heads.read_text()
    heads.unlink()
    assert [each.row for each in checked(tmp_path)] == [None]
    heads.write_text(good + line_of(AuditKey(b"another"), Head(ROWS, b"x" * 32), 0.0) + "\nnonsense\n\xe9\n")
    assert len(checked(tmp_path)) == 3
    heads.write_text(good + good[: len(good) // 2])
    assert len(checked(tmp_path)) == 1


async def test_the_head_is_copied_out_when_it_has_moved_and_at_the_close(tmp_path: Path) -> None:
    heads = tmp_path / "admin.heads"
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        for n in range(3):
            await store.audit.append("ana", "x", "room.freeze", {})
            for _ in range(2):
                assert (await store.audit.copy_head()).id == n + 1
        assert len(heads.read_text().splitlines()) == 3
        await store.audit.append("ana", "x", "room.freeze", {})
    assert [line.split()[0] for line in heads.read_text().splitlines()] == ["1", "2", "3", "4"]
    assert heads.stat().st_mode & 0o777 == 0o600


async def test_the_file_of_heads_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.admin.store_audit.HEADS_LINES", 6)
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        for _ in range(20):
            await store.audit.append("ana", "x", "room.freeze", {})
            await store.audit.copy_head()
    assert len((tmp_path / "admin.heads").read_text().splitlines()) <= 6
    assert checked(tmp_path) == []


# -- writing and reading -----------------------------------------------------------------------------------------------


async def test_rows_cannot_be_changed_or_removed_by_mistake(tmp_path: Path) -> None:
    await write(tmp_path, 3, 3)
    with closing(sqlite3.connect(tmp_path / "admin.db")) as db:
        for statement in ("DELETE FROM audit", "UPDATE audit SET reason = ''"):
            with pytest.raises(sqlite3.IntegrityError, match="kept"):
                db.execute(statement)


async def test_pages_go_back_and_are_filtered(tmp_path: Path) -> None:
    async with await AdminStore.open(None) as store:
        for n in range(10):
            await store.audit.append("ana" if n % 2 else "bo", "x", "a.b" if n < 5 else "c.d", {"n": n}, act=f"act_{n}")
        page = await store.audit.page(limit=4)
        assert [row.id for row in page] == [10, 9, 8, 7]
        assert [row.id for row in await store.audit.page(before=7, limit=4)] == [6, 5, 4, 3]
        assert [row.id for row in await store.audit.page(operator="ana", command="a.b")] == [4, 2]
        assert [row.shown()["act"] for row in await store.audit.page(limit=2)] == ["act_9", "act_8"]
        assert await store.audit.verify() == []


async def test_the_store_finds_it_in_its_own_file_too(tmp_path: Path) -> None:
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        await store.audit.append("ana", "x", "room.freeze", {}, "é\n\x1b[31m\u2028 'quoted'")
        await store.audit.append("ana", "x", "room.thaw", {"deep": {"b": 1, "a": [1.5, None]}})
        await store.audit.copy_head()
        assert await store.audit.verify() == []
        change(tmp_path, lambda db: db.execute("UPDATE audit SET operator = 'bo' WHERE id = 1"))
        assert [each.row for each in await store.audit.verify()] == [1]


def test_equal_values_have_one_text() -> None:
    assert canonical({"b": 1, "a": "é"}) == canonical({"a": "é", "b": 1}) == '{"a":"\\u00e9","b":1}'


# -- the key -----------------------------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "admin.key"
    key = load_or_create(path)
    assert load_or_create(path) == load(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["admin.key"]
    assert key.secret.hex() not in repr(key)
    path.chmod(0o640)
    with pytest.raises(AdminKeyError, match="chmod 600"):
        load(path)


@pytest.mark.parametrize("text", ["", "nonsense", "00" * 31, f"{'00' * 32}\n{'11' * 32}\n"])
def test_a_file_without_a_key_is_not_used(tmp_path: Path, text: str) -> None:
    path = tmp_path / "admin.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(AdminKeyError, match="holds no audit key"):
        load_or_create(path)
    assert path.read_text() == text


async def test_without_the_key_there_is_no_verdict_and_none_is_made(tmp_path: Path) -> None:
    await write(tmp_path, 3, 3)
    (tmp_path / "admin.key").unlink()
    with pytest.raises(AdminKeyError):
        checked(tmp_path)
    assert not (tmp_path / "admin.key").exists()
    load_or_create(tmp_path / "admin.key")
    with pytest.raises(AdminUnusable, match="there is no"):
        verify_files(tmp_path / "gone.db", tmp_path / "admin.key", tmp_path / "admin.heads")


async def test_nobody_waits_for_a_long_chain_to_be_checked(tmp_path: Path, figures: Callable[[str], None]) -> None:
    rows = 50_000
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        key = load(tmp_path / "admin.key")

        def fill(db: sqlite3.Connection) -> None:
            before, cells = bytes(32), []
            for n in range(1, rows + 1):
                row = AuditRow(n, 1e9 + n, "ana", "10.0.0.1", "room.freeze", '{"room":"r"}', "why", "ok", f"a{n}", b"")
                before = mac_of(key, before, row)
                cells.append((row.id, row.at, *(getattr(row, name) for name in TEXTS), before))
            db.executemany(f"INSERT INTO audit ({COLUMNS}) VALUES ({', '.join('?' * 10)})", cells)
            head = Head(rows, before)
            db.execute("INSERT INTO audit_head VALUES (1, ?, ?, ?)", (head.id, head.mac, head_seal(key, head)))

        await store.run(fill, write=True)
        await store.audit.copy_head()
        waits: list[float] = []
        verified = trio.Event()

        async def go_on() -> None:
            while not verified.is_set():
                began = trio.current_time()
                await store.audit.append("ana", "x", "room.thaw", {})
                waits.append(trio.current_time() - began)
                await trio.sleep(0.01)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(go_on)
            began = trio.current_time()
            assert await store.audit.verify() == []
            took = trio.current_time() - began
            verified.set()
        assert len(waits) > 3, "they stood behind the whole check"
        waits.sort()
        median, most = (1_000 * waits[int(len(waits) * part)] for part in (0.5, 0.999))
        figures(
            f"{rows:,} rows checked in {took:.2f} s; {len(waits)} rows appended meanwhile waited {median:.1f} ms "
            f"(median), {most:.1f} ms at most"
        )
        change(tmp_path, lambda db: db.execute("UPDATE audit SET operator = 'bo' WHERE id = 7"))
        assert [each.row for each in await store.audit.verify()] == [7]
