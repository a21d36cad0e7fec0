"""The fold of a room, case by case; the rules are in test_book_rules.py, the room as a whole in test_book_model.py."""

import pytest
from attrs import evolve

from actors.events import Body, Deleted, Edited, Entry, Message, Policy, PolicyChanged, Tombstone
from actors.journal.log import Opening, RoomRecord
from actors.names import Cid, Epoch, MemberId, Nickname, RoomCode, RoomName
from actors.room.book import Book, OutOfOrder

ANA = MemberId("m_ana")
NICK = Nickname("Ana")
E1 = Epoch("e1")


def entry(seq: int, body: Body, epoch: Epoch = E1, author: MemberId = ANA) -> Entry:
    return Entry(epoch, seq, 1_000.0 + seq, author, Cid(f"c{seq}"), body)


def said(text: str) -> Message:
    return Message(NICK, text)


def opening(*tail: Entry, head: int | None = None, oldest: int = 1, rules: tuple[Entry, ...] = ()) -> Opening:
    last = tail[-1].seq if tail else 0
    record = RoomRecord(
        RoomName("main"), RoomCode("blue-stage-42"), "Main", E1, last if head is None else head, oldest, 900.0
    )
    return Opening(record, rules, tail)


def book_of(*bodies: Body, tail_limit: int = 100) -> Book:
    book = Book.open(opening(), tail_limit=tail_limit)
    for seq, body in enumerate(bodies, 1):
        assert book.fold(entry(seq, body))
    return book


def bodies(book: Book) -> list[Body]:
    return [kept.body for kept in book.tail]


# The fold


def test_a_new_room_is_at_zero_and_has_everyday_rules() -> None:
    book = Book.open(opening())
    assert (book.name, book.code, book.title, book.epoch) == ("main", "blue-stage-42", "Main", "e1")
    assert (book.head, book.oldest, list(book.tail), book.policy) == (0, 1, [], Policy())


def test_an_entry_that_is_known_already_changes_nothing() -> None:
    book = book_of(said("a"), said("b"))
    before = evolve(book, tail=book.tail.copy())
    assert book.fold(entry(1, said("something else"))) is False
    assert book.fold(entry(2, Deleted(1))) is False
    assert book == before


@pytest.mark.parametrize(
    "stray", [entry(4, said("x")), entry(3, said("x"), Epoch("e2")), entry(1, said("x"), Epoch("e0"))]
)
def test_a_hole_or_another_epoch_is_out_of_order(stray: Entry) -> None:
    book = book_of(said("a"), said("b"))
    with pytest.raises(OutOfOrder):
        book.fold(stray)
    assert book.head == 2


def test_the_tail_keeps_the_newest_and_drops_their_reactions_with_them() -> None:
    book = book_of(*(said(str(n)) for n in range(1, 4)), tail_limit=3)
    book.react(1, {"+1": 2})
    book.react(3, {"+1": 1})
    book.fold(entry(4, said("4")))
    assert [kept.seq for kept in book.tail] == [2, 3, 4]
    assert book.reactions == {3: {"+1": 1}}


def test_an_edit_gives_the_target_its_text_and_keeps_the_rest() -> None:
    book = book_of(Message(NICK, "helo", reply_to=None), Edited(1, "hello"), Edited(1, "hello!"))
    assert bodies(book) == [Message(NICK, "hello!", None, edited=3), Edited(1, "hello"), Edited(1, "hello!")]
    assert (book.tail[0].cid, book.tail[0].ts, book.tail[0].author) == ("c1", 1_001.0, ANA)


def test_a_deletion_leaves_no_word_of_the_message_or_its_edits() -> None:
    book = book_of(said("secret"), said("b"), Edited(1, "secret!"), Edited(2, "b!"), Deleted(1))
    assert bodies(book) == [Tombstone(), Message(NICK, "b!", None, 4), Tombstone(1), Edited(2, "b!"), Deleted(1)]


def test_an_edit_of_what_is_deleted_is_a_tombstone_and_revives_nothing() -> None:
    book = book_of(said("secret"), Deleted(1), Edited(1, "secret again"))
    assert bodies(book) == [Tombstone(), Deleted(1), Tombstone(1)]


def test_a_deletion_takes_the_reactions() -> None:
    book = book_of(said("a"))
    book.react(1, {"+1": 3})
    book.fold(entry(2, Deleted(1)))
    assert book.reactions == {}
    book.react(1, {"+1": 3})
    assert book.reactions == {}, "a late count does not come back to a tombstone"


def test_edits_and_deletions_of_what_left_the_tail_touch_nothing() -> None:
    book = book_of(said("a"), said("b"), said("c"), tail_limit=2)
    book.fold(entry(4, Edited(1, "aa")))
    book.fold(entry(5, Deleted(1)))
    assert bodies(book) == [Tombstone(1), Deleted(1)]


def test_reactions_are_the_latest_counts_of_messages_in_the_tail() -> None:
    book = book_of(said("a"), Edited(1, "b"))
    counts = {"+1": 1}
    book.react(1, counts)
    counts["+1"] = 99
    assert book.reactions == {1: {"+1": 1}}
    book.react(2, {"+1": 1})
    book.react(7, {"+1": 1})
    assert book.reactions == {1: {"+1": 1}}
    book.react(1, {})
    assert book.reactions == {}


def test_rules_carry_the_seq_of_the_entry_that_set_them() -> None:
    book = book_of(said("a"), PolicyChanged(Policy(frozen=True)), PolicyChanged(Policy(rev=77, slow_s=3)))
    assert book.policy == Policy(rev=3, slow_s=3)


def test_a_room_opens_with_the_rules_that_retention_spared_and_the_tail_as_read() -> None:
    rules = (entry(3, PolicyChanged(Policy(slow_s=9))), entry(12, PolicyChanged(Policy(frozen=True))))
    tail = (entry(40, Message(NICK, "new", edited=41)), entry(41, Edited(40, "new")))
    book = Book.open(opening(*tail, oldest=30, rules=rules))
    assert (book.head, book.oldest, book.policy) == (41, 30, Policy(rev=12, frozen=True))
    assert bodies(book) == [Message(NICK, "new", edited=41), Edited(40, "new")]


def test_a_rule_within_the_tail_counts_even_if_it_is_not_listed_apart() -> None:
    book = Book.open(opening(entry(1, PolicyChanged(Policy(slow_s=9))), entry(2, said("a"))))
    assert book.policy.slow_s == 9


def test_only_the_consecutive_end_of_an_opening_is_a_tail() -> None:
    book = Book.open(opening(entry(3, PolicyChanged(Policy())), entry(8, said("a")), entry(9, said("b"))))
    assert [kept.seq for kept in book.tail] == [8, 9]
    assert list(Book.open(opening(entry(3, said("a")), head=9, oldest=10)).tail) == []
    assert [kept.seq for kept in Book.open(opening(*(entry(n, said("a")) for n in (7, 8, 9))), tail_limit=2).tail] == [
        8,
        9,
    ]


def test_an_opening_brings_its_reactions() -> None:
    opened = evolve(opening(entry(1, said("a")), entry(2, Tombstone())), reactions={1: {"+1": 2}, 2: {"+1": 2}})
    assert Book.open(opened).reactions == {1: {"+1": 2}}


def test_memory_does_not_outlive_retention() -> None:
    book = book_of(said("a"), said("b"), said("c"))
    book.react(1, {"+1": 1})
    book.react(3, {"+1": 1})
    book.trimmed(3)
    assert (book.oldest, [kept.seq for kept in book.tail], book.reactions) == (3, [3], {3: {"+1": 1}})
    book.trimmed(2)
    assert book.oldest == 3
    book.trimmed(4)
    assert (book.oldest, book.head, list(book.tail)) == (4, 3, [])
    assert book.fold(entry(4, said("d")))
    assert [kept.seq for kept in book.tail] == [4]


# History from memory


@pytest.mark.parametrize("oldest", [1, 4, 8, 11])
@pytest.mark.parametrize("tail_limit", [1, 3, 100])
@pytest.mark.parametrize("head", [0, 1, 10])
def test_recent_is_what_the_log_would_read_or_nothing(head: int, tail_limit: int, oldest: int) -> None:
    book = book_of(*(said(str(n)) for n in range(1, head + 1)), tail_limit=tail_limit)
    book.trimmed(min(oldest, head + 1))
    readable = list(range(book.oldest, head + 1))
    kept = {kept.seq for kept in book.tail}
    spots = [None, *range(-1, head + 3)]
    for before in spots:
        for after in spots:
            for limit in (1, 2, 200):
                found = [n for n in readable if (before is None or n < before) and (after is None or n > after)]
                wanted = found[:limit] if after is not None else found[-limit:]
                got = book.recent(before, after, limit)
                if set(wanted) <= kept:
                    assert got is not None
                    assert [item.seq for item in got] == wanted, (before, after, limit)
                else:
                    assert got is None, (before, after, limit)


def test_what_retention_no_longer_serves_is_not_served_from_memory_either() -> None:
    book = book_of(said("a"), said("b"), said("c"))
    book.react(1, {"+1": 1})
    third = book.tail[2].ts
    book.fade(third)
    assert (bodies(book), book.oldest, book.reactions) == ([said("c")], 3, {})
    assert book.recent(None, None, 10) == tuple(book.tail)
    book.fade(third + 1)
    assert (bodies(book), book.oldest, book.head) == ([], 4, 3)
    assert book.recent(None, None, 10) == ()
