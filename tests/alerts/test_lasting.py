"""What the next process knows of alerts, however the last one ended."""

import sqlite3
from pathlib import Path

import pytest
from attrs import evolve

from actors.alerts import book as books
from actors.alerts import store as stores
from actors.alerts.board import AlertBoard
from actors.alerts.book import Book, Case
from actors.alerts.ledger import Ledger
from actors.alerts.roster import Seen, Stay
from actors.alerts.store import Loaded, Store, Work, cells_of
from actors.alerts.vocabulary import Alert, Kind, Life, Reach, ReceiptState
from actors.journal.writer import WriterOnLoop
from actors.names import RoomName
from actors.refusals import Refused
from tests.alerts.making import MAIN, at, draft, member, target
from tests.room.hall import LoopClock

DAY = 86_400.0
NOW = at(0).wall


def begun(book: Book, seconds: float = 0.0) -> Case:
    made = draft()
    case = book.begin(made, made.rooms, "XYZ", "ana", at(seconds))
    assert isinstance(case, Case)
    return case


def rows(ledger: Ledger, whole: bool = True) -> Work:
    return Work(rows=[(ledger.key, cells_of(row)) for row in ledger.rows.values()], whole=[ledger.key] if whole else [])


def reopened(path: Path, wall: float = NOW) -> Loaded:
    store = Store(path, DAY)
    try:
        return store.load(wall)
    finally:
        store.close()


def test_an_alert_that_was_ended_is_not_in_force_again_when_newer_ones_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last revision was left on disk for want of room, and the one before, which still said `active`, was taken."""
    monkeypatch.setattr(stores, "LOAD_ROWS", 4)
    store, book = Store(tmp_path / "alerts.db", DAY), Book()
    for n in range(3):
        case = begun(book, n * 100)
        book.target(case, [target(1), target(2)])
        store.save(Work([case.alert]), 0.0)
        store.save(rows(case.ledger), 0.0)
        ended = book.end(case.alert.id, Kind.ALL_CLEAR, "", "ana", at(n * 100 + 50))
        assert isinstance(ended, Case)
        store.save(Work([ended.alert]), 0.0)
        store.save(rows(ended.ledger), 0.0)
    found = reopened(tmp_path / "alerts.db").ledgers
    newest: dict[str, Alert] = {each.alert.id: each.alert for each in found}
    assert [alert.state for alert in newest.values()] == [Life.CLEARED] * len(newest)
    assert len(newest) == 1


async def test_an_alert_that_was_ended_stays_so_although_the_clock_was_put_back(tmp_path: Path) -> None:
    """Its end was two minutes older than its beginning, and so taken for the earlier revision."""
    store, book = Store(tmp_path / "alerts.db", DAY), Book()
    case = begun(book, 200)
    book.target(case, [target(1)])
    store.save(Work([case.alert]), 0.0)
    store.save(rows(case.ledger), 0.0)
    ended = book.end(case.alert.id, Kind.CANCEL, "", "ana", at(80))
    assert isinstance(ended, Case)
    store.save(Work([ended.alert]), 0.0)
    store.save(rows(ended.ledger), 0.0)
    store.close()
    board = AlertBoard(LoopClock(), tmp_path / "alerts.db", new_writer=WriterOnLoop)
    await board.open()
    assert [case.alert.state for case in board.book.cases.values()] == [Life.CANCELLED]


def test_an_end_that_cannot_be_read_does_not_bring_the_alert_back(tmp_path: Path) -> None:
    store, book = Store(tmp_path / "alerts.db", DAY), Book()
    case = begun(book)
    store.save(Work([case.alert]), 0.0)
    ended = book.end(case.alert.id, Kind.CANCEL, "", "ana", at(80))
    assert isinstance(ended, Case)
    store.save(Work([ended.alert]), 0.0)
    store.close()
    db = sqlite3.connect(tmp_path / "alerts.db")
    db.execute("UPDATE revisions SET draft = '{}' WHERE rev = 2")
    db.commit()
    db.close()
    assert reopened(tmp_path / "alerts.db").ledgers == ()


def test_targets_that_were_on_their_way_are_those_of_the_first_revision(tmp_path: Path) -> None:
    """Somebody left the room between two revisions, and was looked for no more after a crash."""
    store, book = Store(tmp_path / "alerts.db", DAY), Book()
    people = [Seen(member(n), f"n{n}", NOW - 60) for n in (1, 2)]
    stays = [Stay(member(n), MAIN, NOW - 60, here=True) for n in (1, 2)]
    store.save(Work(people=people, stays=stays), 0.0)
    case = begun(book)
    book.target(case, [target(1), target(2)])
    store.save(Work([case.alert]), 0.0)
    (row,) = (row for row in case.ledger.rows.values() if row.member == member(1))
    store.save(Work(rows=[(case.ledger.key, cells_of(row))]), 0.0)
    store.save(Work(stays=[Stay(member(2), MAIN, NOW, here=False)]), 0.0)
    revised = book.update(case.alert.id, {"headline": "Use the south gate"}, "ana", at(5))
    assert isinstance(revised, Case)
    store.save(Work([revised.alert]), 0.0)
    _, second = reopened(tmp_path / "alerts.db").ledgers
    assert {each.member for each in second.rest} == {member(1), member(2)}


def test_a_call_for_help_about_an_earlier_revision_counts_although_the_newest_does_not_know_who_calls() -> None:
    """It ended the actor: a crash for each time that the phone called again."""
    book = Book()
    case = begun(book)
    book.target(case, [target(1), target(2)])
    revised = book.update(case.alert.id, {"headline": "Use the south gate"}, "ana", at(5))
    assert isinstance(revised, Case)
    del revised.ledgers[2].rows[member(2)]  # as after a crash that lost it
    answer = book.receipt(member(2), case.alert.id, 1, ReceiptState.HELP, "my leg", NOW + 6)
    assert not isinstance(answer, Refused)
    assert revised.ledger.rows[member(2)].note == "my leg"
    assert revised.ledger.tally().help == 1


def test_what_was_dealt_with_is_so_after_a_restart_and_in_the_next_revision(tmp_path: Path) -> None:
    store, book = Store(tmp_path / "alerts.db", DAY), Book()
    case = begun(book)
    book.target(case, [target(1), target(2)])
    for each in (1, 2):
        book.receipt(member(each), case.alert.id, 1, ReceiptState.HELP, "my leg", NOW + each)
    ledger = book.resolve_help(case.alert.id, member(2), True)
    assert ledger is case.ledger
    store.save(Work([case.alert]), 0.0)
    store.save(rows(case.ledger), 0.0)
    (loaded,) = reopened(tmp_path / "alerts.db").ledgers
    asked = {row.member: (row.help, row.helped, row.note) for row in loaded.rows}
    assert asked == {member(1): (True, False, "my leg"), member(2): (True, True, "my leg")}
    revised = book.update(case.alert.id, {"headline": "Use the south gate"}, "ana", at(5))
    assert isinstance(revised, Case)
    assert (revised.ledger.tally().help, revised.ledger.tally().helped) == (2, 1)


def test_zones_are_there_for_a_start_that_knows_no_rooms(tmp_path: Path) -> None:
    store, hill = Store(tmp_path / "alerts.db", DAY), {RoomName("hill-top"): "hill", MAIN: "centre"}
    assert reopened(tmp_path / "alerts.db").zones == {}
    store.save(Work(zones=hill), 0.0)
    store.save(Work(people=[Seen(member(1), "n1", NOW)]), 0.0)
    assert reopened(tmp_path / "alerts.db").zones == hill
    store.save(Work(zones={MAIN: "centre"}), 0.0)
    assert reopened(tmp_path / "alerts.db").zones == {MAIN: "centre"}


def test_what_is_over_is_kept_for_a_day_after_its_end_and_longer_while_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An alert that had been in force for more than a day was gone within the hour of its end."""
    monkeypatch.setattr(books, "CASES_KEPT", 1)
    book = Book()
    long, newer = begun(book), begun(book, 10)
    for case in (long, newer):
        book.target(case, [target(1)])
    long.alert = evolve(long.alert, expires=NOW + 2 * DAY)
    newer.alert = evolve(newer.alert, expires=NOW + 3 * DAY)
    for case in (long, newer):
        case.alert = case.alert.with_state(Life.EXPIRED)
        case.unsaved.clear()
        case.ledger.unsaved.clear()
        case.ledger.raise_to(member(1), Reach.WRITTEN, NOW)
        case.ledger.unsaved.clear()
    assert book.forget(NOW + 2 * DAY) == [], "it has ended just now"
    assert book.forget(NOW + 2 * DAY + 1) == [long.alert.id]
    assert book.forget(NOW + 9 * DAY) == [], "there is room for one"
