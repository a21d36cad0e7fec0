"""Hiding and clearing in a book: what a member would be told, step by step."""

from actors.events import (
    Body,
    Cleared,
    Deleted,
    Edited,
    Erased,
    Hidden,
    Message,
    Pinned,
    Restored,
    Tombstone,
    Uncleared,
)
from actors.names import Nickname
from actors.room.book import Book
from tests.room.test_book_log import HOUSE, ListLog, write

TAIL = 6


def said(text: str) -> Message:
    return Message(Nickname("Ana"), text)


def told(*bodies: Body) -> list[Body]:
    """What the tail reads after these entries; the book that opens anew reads the same."""
    log = ListLog()
    book = Book.open(log.opening(TAIL), tail_limit=TAIL)
    for number, body in enumerate(bodies):
        author = {} if isinstance(body, Message | Edited | Deleted) else {"author": HOUSE}
        write(log, f"c{number}", body, **author)
        book.fold(log.written[-1])
    assert Book.open(log.opening(TAIL), tail_limit=TAIL) == book
    assert list(book.tail) == log.read(log.head - TAIL, TAIL)
    return [entry.body for entry in book.tail]


def test_an_edit_of_a_hidden_message_is_hidden_and_stands_when_it_is_restored() -> None:
    hidden = told(said("a"), Hidden(1), Edited(1, "b"))
    assert hidden == [Tombstone(hidden=True), Hidden(1), Tombstone(1, hidden=True)]
    restored = told(said("a"), Hidden(1), Edited(1, "b"), Restored(1))
    assert restored == [
        Message(Nickname("Ana"), "b", edited=3), Hidden(1), Edited(1, "b"), Restored(1),
    ]  # fmt: skip


def test_what_is_deleted_while_it_is_hidden_does_not_come_back() -> None:
    bodies = told(said("a"), Edited(1, "b"), Hidden(1), Deleted(1))
    assert bodies == [Tombstone(), Tombstone(1), Hidden(1), Deleted(1)]


def test_an_erased_message_does_not_come_back_when_the_clearing_is_taken_back() -> None:
    bodies = told(said("a"), said("b"), Cleared(1), Erased(1), Uncleared(1))
    assert bodies[:2] == [Tombstone(), said("b")]


def test_a_message_may_be_hidden_and_cleared_and_needs_both_lifted() -> None:
    entries = (said("a"), Hidden(1), Cleared(2), Restored(1), Uncleared(2))
    assert told(*entries[:4])[0] == Tombstone(hidden=True)
    assert told(*entries)[0] == said("a")


def test_reactions_wait_under_the_veil() -> None:
    log = ListLog()
    write(log, "c1", said("a"))
    book = Book.open(log.opening(TAIL), tail_limit=TAIL)
    book.react(1, {"+": 1})
    for cid, body in (("c2", Hidden(1)), ("c3", Pinned(1)), ("c4", Restored(1))):
        write(log, cid, body, HOUSE)
        book.fold(log.written[-1])
        if isinstance(body, Pinned):
            assert book.reactions == {}
            book.react(1, {"+": 2})
    assert (book.reactions, book.pinned) == ({1: {"+": 2}}, 1)
