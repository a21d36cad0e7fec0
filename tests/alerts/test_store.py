"""alerts.db: what was saved is there after the process is gone, and what was on its way is found again."""

import sqlite3
from pathlib import Path

import pytest
from attrs import evolve

from actors.alerts.book import Book, Case
from actors.alerts.ledger import Ledger
from actors.alerts.roster import Seen, Stay
from actors.alerts.store import AlertsUnusable, Loaded, Store, Work, cells_of
from actors.alerts.vocabulary import Alert, Draft, Life, Reach
from tests.alerts.making import MAIN, TENT, at, draft, member, target

DAY = 86_400.0
NOW = at(0).wall


def begun(made: Draft) -> Case:
    case = Book().begin(made, made.rooms, "XYZ", "ana", at(0))
    assert isinstance(case, Case)
    return case


def rows(ledger: Ledger) -> Work:
    return Work(rows=[(ledger.key, cells_of(row)) for row in ledger.rows.values()], whole=[ledger.key])


def reopened(path: Path, wall: float = NOW) -> Loaded:
    """As the next process sees it: nothing of the last one was closed."""
    store = Store(path, DAY)
    try:
        return store.load(wall)
    finally:
        store.close()


def test_an_alert_and_its_ledger_are_there_for_the_next_process(tmp_path: Path) -> None:
    store, case = Store(tmp_path / "alerts.db", DAY), begun(draft(info={"de": {"headline": "Raus"}}))
    Book().target(case, [target(1), target(2, MAIN, TENT)])
    case.ledger.raise_to(member(1), Reach.ACKNOWLEDGED, NOW + 5)
    case.ledger.ask_help(member(2), "my leg", NOW + 6)
    store.save(Work([case.alert]), 0.0)
    store.save(rows(case.ledger), 0.0)
    (found,) = reopened(tmp_path / "alerts.db").ledgers
    assert found.alert == case.alert
    assert found.rest == ()
    assert [each.person() for each in found.rows] == [row.person() for row in case.ledger.rows.values()]


def test_its_state_changes_and_its_words_do_not(tmp_path: Path) -> None:
    store, case = Store(tmp_path / "alerts.db", DAY), begun(draft())
    store.save(Work([case.alert]), 0.0)
    store.save(Work([evolve(case.alert.with_state(Life.EXPIRED), by="somebody else")]), 0.0)
    (found,) = reopened(tmp_path / "alerts.db").ledgers
    assert (found.alert.state, found.alert.by) == (Life.EXPIRED, "ana")


def crowd(store: Store) -> None:
    """1 and 2 in the main stage, 3 in the tent, 4 has left, 5 is long gone."""
    stays = [Stay(member(n), MAIN if n != 3 else TENT, NOW - 60, here=True) for n in range(1, 6)]
    people = [Seen(member(n), f"n{n}", NOW - 60 if n != 5 else NOW - 2 * DAY) for n in range(1, 6)]
    store.save(Work(people=people, stays=stays), 0.0)
    store.save(Work(stays=[Stay(member(4), MAIN, NOW - 30, here=False)]), 0.0)


@pytest.mark.parametrize(("whom", "who"), [({}, {1, 2}), ({"rooms": None, "all": True}, {1, 2, 3, 4})])
def test_targets_whose_rows_were_lost_are_found_from_the_roster_as_it_was(
    tmp_path: Path, whom: dict[str, object], who: set[int]
) -> None:
    """The process died between the alert's commit and the ledger's; meanwhile people went on moving."""
    store, case = Store(tmp_path / "alerts.db", DAY), begun(draft(**whom))
    crowd(store)
    store.save(Work([case.alert]), 0.0)
    store.save(
        Work(
            stays=[Stay(member(1), MAIN, NOW + 1, here=False), Stay(member(9), MAIN, NOW + 1, here=True)],
            people=[Seen(member(9), "late", NOW + 1)] if not whom else [],
        ),
        0.0,
    )
    (found,) = reopened(tmp_path / "alerts.db").ledgers
    assert {each.member for each in found.rest} == {member(n) for n in who}


def test_targets_of_a_revision_are_those_of_the_one_before(tmp_path: Path) -> None:
    store, case = Store(tmp_path / "alerts.db", DAY), begun(draft())
    Book().target(case, [target(1), target(2)])
    store.save(Work([case.alert]), 0.0)
    store.save(rows(case.ledger), 0.0)
    store.save(Work([evolve(case.alert, rev=2, sent=NOW + 9)]), 0.0)
    first, second = reopened(tmp_path / "alerts.db").ledgers
    assert (len(first.rows), first.rest) == (2, ())
    assert {each.member for each in second.rest} == {member(1), member(2)}


def test_who_comes_back_to_a_room_is_there_again_and_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "alerts.db", DAY)
    crowd(store)
    for here in (True, True, False, True):
        store.save(Work(stays=[Stay(member(4), MAIN, NOW, here)]), 0.0)
    people = {who: rooms for who, _, _, rooms in reopened(tmp_path / "alerts.db").people}
    assert people == {member(1): (MAIN,), member(2): (MAIN,), member(3): (TENT,), member(4): (MAIN,)}


def test_of_people_not_seen_for_a_week_nothing_is_kept(tmp_path: Path) -> None:
    store = Store(tmp_path / "alerts.db", DAY)
    crowd(store)
    store.prune(NOW + 6.5 * DAY)
    db = sqlite3.connect(tmp_path / "alerts.db")
    assert {row[0] for row in db.execute("SELECT member FROM people")} == {member(n) for n in (1, 2, 3, 4)}
    assert member(5) not in {row[0] for row in db.execute("SELECT member FROM stays")}
    db.close()


def full(store: Store) -> sqlite3.Connection:
    """No page more, as on a full disk."""
    store.open()
    db = store._db
    assert db is not None
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count={pages}").fetchone()
    return db


def big() -> Alert:
    return begun(draft(info={f"d{a}": {"headline": "x", "text": "y" * 1_500} for a in "abcdefgh"})).alert


def test_a_full_disk_costs_the_ballast_and_then_works(tmp_path: Path) -> None:
    store = Store(tmp_path / "alerts.db", DAY, ballast_bytes=4096)
    store.load(NOW)
    ballast = tmp_path / "alerts.db.ballast"
    assert ballast.stat().st_size == 4096
    full(store)
    store.save(Work([big()]), 0.0)  # with a new connection, which has the room that the ballast gave back
    assert not ballast.exists()
    assert len(reopened(tmp_path / "alerts.db").ledgers) == 1


def test_what_fails_has_written_nothing_and_may_be_saved_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path / "alerts.db", DAY)
    store.load(NOW)
    work = Work([big()], [Seen(member(1), "n1", NOW)], [Stay(member(1), MAIN, NOW, here=True)])
    prepare = store._prepare
    full(store)

    def smaller(db: sqlite3.Connection) -> None:
        prepare(db)
        db.execute("PRAGMA max_page_count=1").fetchone()

    monkeypatch.setattr(store, "_prepare", smaller)
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.save(work, 0.0)
    monkeypatch.undo()
    assert reopened(tmp_path / "alerts.db").ledgers == ()
    store.save(work, 0.0)
    loaded = reopened(tmp_path / "alerts.db")
    assert len(loaded.ledgers) == len(loaded.people) == 1


@pytest.mark.parametrize(
    ("content", "why"), [(b"hello world, not a database", "not a database"), (None, "of another program")]
)
def test_a_file_of_somebody_else_is_never_touched(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "alerts.db"
    if content is None:
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE theirs (x)")
        db.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(AlertsUnusable, match=why):
        Store(path, DAY).load(NOW)
    assert path.read_bytes() == before


def test_it_syncs_at_every_commit(tmp_path: Path) -> None:
    store = Store(tmp_path / "alerts.db", DAY)
    store.open()
    assert store._db is not None
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    store.close()
