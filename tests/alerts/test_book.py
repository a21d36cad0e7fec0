"""The life of an alert: what ends it, who is reminded when, whom it concerns."""

import pytest

from actors.alerts.book import ACTIVE_MOST, AFTERMATH_S, Book, Case
from actors.alerts.ledger import Key, Ledger, Row
from actors.alerts.vocabulary import Kind, Life, Reach, ReceiptState
from actors.refusals import Reason, Refused
from tests.alerts.making import MAIN, TENT, at, draft, member, target


def raised(book: Book, people: int = 4, **changes: object) -> Case:
    made = draft(**changes)
    case = book.begin(made, made.rooms, "XYZ", "ana", at(0))
    assert isinstance(case, Case)
    book.target(case, [target(n) for n in range(people)])
    return case


def test_an_alert_has_a_number_to_say_and_letters_that_no_restart_repeats() -> None:
    book = Book()
    assert [raised(book).alert.id, raised(book).alert.id] == ["A001-XYZ", "A002-XYZ"]


def test_it_expires_once_and_is_then_listed_to_nobody() -> None:
    book = Book()
    case = raised(book)
    assert [alert.id for alert in book.listed(member(0), (), at(599).wall)] == ["A001-XYZ"]
    assert book.expire(at(599).wall) == []
    assert book.expire(at(600).wall) == [case]
    assert book.expire(at(601).wall) == []
    assert case.alert.state is Life.EXPIRED
    assert list(book.listed(member(0), (MAIN,), at(601).wall)) == []


def test_it_concerns_its_targets_wherever_they_are_and_whoever_is_in_the_room_now() -> None:
    book = Book()
    raised(book)
    wall = at(1).wall
    assert len(list(book.listed(member(0), (), wall))) == 1
    assert len(list(book.listed(member(99), (), wall))) == 0
    assert len(list(book.listed(member(99), (TENT,), wall))) == 0
    assert len(list(book.listed(member(99), (TENT, MAIN), wall))) == 1


@pytest.mark.parametrize(("kind", "state"), [(Kind.CANCEL, Life.CANCELLED), (Kind.ALL_CLEAR, Life.CLEARED)])
def test_its_end_is_a_revision_that_those_it_was_for_still_see_for_a_while(kind: Kind, state: Life) -> None:
    book = Book()
    case = raised(book, remind_s=10)
    assert book.end(case.alert.id, kind, "Thank you.", "bo", at(5)) is case
    assert (case.alert.rev, case.alert.kind, case.alert.state, case.alert.by) == (2, kind, state, "bo")
    assert case.ledger.targeted == 4
    assert len(list(book.listed(member(0), (), at(5 + AFTERMATH_S - 1).wall))) == 1
    assert len(list(book.listed(member(99), (MAIN,), at(6).wall))) == 0
    assert len(list(book.listed(member(0), (), at(5 + AFTERMATH_S).wall))) == 0
    assert book.reminders(at(1_000).mono) == []
    again = book.update(case.alert.id, {"severity": "minor"}, "bo", at(6))
    assert isinstance(again, Refused)


def test_reminders_come_in_their_time_and_only_while_it_is_active() -> None:
    book = Book()
    case = raised(book, remind_s=60)
    assert book.reminders(59.0) == []
    assert book.reminders(60.0) == [case]
    assert book.reminders(61.0) == []
    assert book.reminders(120.0) == [case]
    never = raised(book, remind_s=0)
    assert never not in book.reminders(1e9)


def test_who_has_answered_or_waits_for_help_is_not_reminded() -> None:
    book = Book()
    case = raised(book)
    name = case.alert.id
    book.receipt(member(0), name, 1, ReceiptState.ACKNOWLEDGED, "", at(1).wall)
    book.receipt(member(1), name, 1, ReceiptState.SEEN, "", at(1).wall)
    book.receipt(member(2), name, 1, ReceiptState.HELP, "my leg", at(1).wall)
    assert [case.ledger.is_below(member(n)) for n in range(5)] == [False, True, False, True, False]


def test_escalation_comes_once_a_revision_and_only_when_too_few_have_answered() -> None:
    book = Book()
    case = raised(book, escalate_s=30, escalate_below=0.5)
    assert book.escalations(at(29).wall) == []
    assert book.escalations(at(30).wall) == [case]
    assert book.escalations(at(31).wall) == []
    calm = raised(book, escalate_s=30, escalate_below=0.5)
    for n in range(2):
        book.receipt(member(n), calm.alert.id, 1, ReceiptState.ACKNOWLEDGED, "", at(1).wall)
    assert book.escalations(at(40).wall) == []


@pytest.mark.parametrize(
    ("name", "rev", "who", "reason"),
    [
        ("A009-XYZ", 1, 0, Reason.BAD_ANCHOR),
        ("A001-XYZ", 2, 0, Reason.BAD_ANCHOR),
        ("A001-XYZ", 1, 99, Reason.FORBIDDEN),
    ],
)
def test_a_receipt_that_fits_nothing_is_refused_and_changes_nothing(
    name: str, rev: int, who: int, reason: Reason
) -> None:
    book = Book()
    case = raised(book)
    refused = book.receipt(member(who), name, rev, ReceiptState.HELP, "x", at(1).wall)  # type: ignore[arg-type]
    assert isinstance(refused, Refused)
    assert refused.reason is reason
    assert case.ledger.tally().unreachable == case.ledger.targeted == 4


def test_help_that_was_asked_for_is_asked_for_in_the_next_revision_too() -> None:
    book = Book()
    case = raised(book)
    book.receipt(member(1), case.alert.id, 1, ReceiptState.HELP, "my leg", at(1).wall)
    book.update(case.alert.id, {"text": "By the south gate."}, "ana", at(2))
    assert [(each.member, each.note) for each in case.ledger.names("help", None, 1).people] == [(member(1), "my leg")]
    book.receipt(member(2), case.alert.id, 1, ReceiptState.HELP, "", at(3).wall)
    assert case.ledger.tally().help == 2


def test_so_many_alerts_at_once_are_a_mistake() -> None:
    book = Book()
    for _ in range(ACTIVE_MOST):
        raised(book)
    made = draft()
    assert isinstance(book.begin(made, made.rooms, "XYZ", "ana", at(0)), Refused)


def test_a_drill_is_scored_by_who_answered_and_when() -> None:
    book = Book()
    case = raised(book, people=10, status="exercise")
    for n in range(8):
        case.ledger.raise_to(member(n), Reach.WRITTEN, at(1).wall)
    for n in range(6):
        book.receipt(member(n), case.alert.id, 1, ReceiptState.ACKNOWLEDGED, "", at(10 + n).wall)
    score = book.report(case, {}).score
    assert score is not None
    assert (score.reached, score.answered, score.half_s, score.most_s) == (0.8, 0.6, 14.0, None)
    assert book.report(raised(book), {}).score is None
    book.end(case.alert.id, Kind.ALL_CLEAR, "", "bo", at(60))
    assert book.report(case, {}).score == score, "the all-clear has no score of its own"


def test_counts_of_a_zone_are_those_of_its_rooms() -> None:
    book = Book()
    case = raised(book, people=0, rooms=["main-stage", "tent"])
    book.target(case, [target(1, MAIN), target(2, TENT), target(3, MAIN, TENT)])
    report = book.report(case, {MAIN: "north", TENT: "north"})
    assert report.total.targeted == 3
    assert {room: tally.targeted for room, tally in report.rooms.items()} == {MAIN: 2, TENT: 2}
    assert report.zones["north"].targeted == 4


def test_names_come_in_pages_of_two_hundred() -> None:
    ledger = Ledger(Key("A001-XYZ", 1), Reach.ACKNOWLEDGED, 0.0)  # type: ignore[arg-type]
    for n in range(450):
        ledger.add(Row(member(n), f"n{n}", (MAIN,) if n % 2 else (TENT,), False, Reach.UNREACHABLE, 0.0))
    pages = [ledger.names("unanswered", None, page) for page in (1, 2, 3, 4)]
    assert [len(page.people) for page in pages] == [200, 200, 50, 0]
    assert {(page.pages, page.total) for page in pages} == {(3, 450)}
    assert len({each.member for page in pages for each in page.people}) == 450
    assert [len(ledger.names("unanswered", MAIN, page).people) for page in (1, 2)] == [200, 25]
