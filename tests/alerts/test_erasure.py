"""Of an erased member no name and no note is left in alerts.db, and every count stands."""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from trio.testing import MockClock, wait_all_tasks_blocked

from actors.alerts.ledger import Row
from actors.alerts.messages import EraseMember, Names, NamesPage, Update
from actors.alerts.store import Store, Work, cells_of
from actors.alerts.vocabulary import ERASED, Alert, Reach, ReceiptState
from actors.names import MemberId
from actors.refusals import Refused
from tests.alerts.making import MAIN, draft, member
from tests.alerts.station import Station, station
from tests.alerts.test_store import begun
from tests.journal.keeping import words_on_disk


def test_no_copy_is_left_where_rows_moved_between_pages(tmp_path: Path) -> None:
    """A table sorted by member splits its pages as members come in any order and notes make rows grow, and a page that
    was split keeps copies of what moved out, which secure_delete does not wipe: some of those copies are found here
    first, in a copy of the file where the rows were only overwritten."""
    live, other = tmp_path / "live", tmp_path / "other"
    live.mkdir()
    other.mkdir()
    members = crowded(live / "alerts.db")
    shutil.copy(live / "alerts.db", other)
    with closing(sqlite3.connect(other / "alerts.db")) as db:
        db.execute("PRAGMA secure_delete=ON").fetchone()
        db.executemany("UPDATE ledger SET nickname = '', note = '' WHERE member = ?", [(each,) for each in members])
        db.commit()
    words = {each: f"<{each}>" for each in members}
    left = words_on_disk(other, list(words.values()))
    doomed = [each for each, word in words.items() if word in left][:1]
    assert doomed, "this file is too tidy to tell anything"
    store = Store(live / "alerts.db", 1e9)
    assert all(store.erase(each) for each in doomed)
    assert words_on_disk(live, [words[each] for each in doomed]) == {}
    assert len(words_on_disk(live, list(words.values()))) == len(words) - len(doomed), "the search finds what is there"
    store.close()


def crowded(path: Path) -> list[MemberId]:
    """Of an alert that many got, one after the other, and then asked for help. All is in the database itself."""
    chance, store = random.Random(3), Store(path, 1e9)
    members = [member(number) for number in chance.sample(range(1, 10_000), 600)]
    store.save(Work([begun(draft()).alert]), 0.0)
    store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA secure_delete=ON").fetchone()
        for note in ("", "z" * 90):
            rows = [Row(each, f"<{each}>", (MAIN,), False, Reach.SEEN, 0.0, bool(note), note) for each in members]
            db.execute("BEGIN")
            db.executemany(
                "INSERT OR REPLACE INTO ledger VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)", [cells_of(row) for row in rows]
            )
            db.execute("COMMIT")
    return members


async def erase(here: Station, who: MemberId) -> Refused | None:
    return await here.alerts.ask(lambda asks: EraseMember(asks, who))


def names(folder: Path) -> list[str]:
    return [*words_on_disk(folder, ["n1-rosa", "my leg"])]


async def test_a_name_and_a_note_go_and_the_ledger_still_adds_up(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "alerts.db"
    async with station(path, kill=True) as here:
        for number in (1, 2, 3):
            here.arrive(number, MAIN)
        rosa = here.arrive(4, MAIN, called="n1-rosa")
        alert = await here.start()
        here.receipt(4, alert, ReceiptState.HELP, "my leg")
        await wait_all_tasks_blocked()
        here.board.recorder.tick()  # type: ignore[union-attr]
        assert names(tmp_path) == ["n1-rosa", "my leg"]
        before = (await here.report()).total
        assert await erase(here, rosa.member) is None
        assert names(tmp_path) == [], "the process still runs: not in the WAL either"
        assert (await here.report()).total == before
        assert (before.targeted, before.seen, before.help) == (4, 1, 1)
        page = await here.alerts.ask(lambda asks: Names(asks, alert.id, None, "help"))
        assert isinstance(page, NamesPage)
        assert [(each.member, each.nickname, each.note) for each in page.people] == [(rosa.member, ERASED, "")]
        updated = await here.alerts.ask(lambda asks: Update(asks, alert.id, {"text": "now"}, "ana"))
        assert isinstance(updated, Alert)
        here.leave(rosa)
        await wait_all_tasks_blocked()
        here.board.recorder.tick()  # type: ignore[union-attr]
        assert names(tmp_path) == [], "nor does it come back with the next revision"
    async with station(path) as again:
        report = await again.report()
        assert (report.alert.rev, report.total.targeted, report.total.help) == (2, 4, 1)
        assert again.board.roster.people[rosa.member].nickname == ERASED


async def test_it_is_said_when_somebody_who_reads_is_in_the_way(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with station(tmp_path / "alerts.db") as here:
        rosa = here.arrive(1, MAIN, called="n1-rosa")
        await here.start()
        with closing(sqlite3.connect(tmp_path / "alerts.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM ledger").fetchall()
            refused = await erase(here, rosa.member)
            assert isinstance(refused, Refused)
            assert refused.retry_after_ms
        assert await erase(here, rosa.member) is None
        assert names(tmp_path) == []
