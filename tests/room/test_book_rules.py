"""What may be done in a room, and what the refusals say."""

from math import inf, nan

import pytest
from attrs import evolve

from actors.clock import Now
from actors.events import Deleted, Edited, Hidden, Message, Notice, Policy, PolicyChanged
from actors.names import HOUSE, MemberId
from actors.refusals import Reason, Refused
from actors.room.book import Book, Judgement
from tests.room.test_book import ANA, NICK, book_of, entry, opening, said

BO = MemberId("m_bo")


def at(mono: float, wall: float = 1_000.0) -> Now:
    return Now(wall, mono)


def reason(judgement: Judgement) -> Reason | None:
    return None if judgement.refusal is None else judgement.refusal.reason


POST_CASES = [
    ("fine", Policy(), "hi", None, None),
    ("reply to the first", Policy(), "hi", 1, None),
    ("reply to a deletion", Policy(), "hi", 3, Reason.BAD_ANCHOR),
    ("reply to rules", Policy(), "hi", 4, Reason.BAD_ANCHOR),
    ("reply to a tombstone", Policy(), "hi", 2, None),
    ("reply to nothing", Policy(), "hi", 0, Reason.BAD_ANCHOR),
    ("reply to the past of the past", Policy(), "hi", -1, Reason.BAD_ANCHOR),
    ("reply to the future", Policy(), "hi", 5, Reason.BAD_ANCHOR),
    ("no text", Policy(), "", None, Reason.BAD_FRAME),
    ("only white space", Policy(), " \n\t\u2003", None, Reason.BAD_FRAME),
    ("frozen", Policy(frozen=True), "hi", None, Reason.FROZEN),
    ("frozen before anchors", Policy(frozen=True), "hi", 99, Reason.FROZEN),
    ("frozen until later", Policy(frozen=True, expires=1_000.1), "hi", None, Reason.FROZEN),
    ("frozen until now", Policy(frozen=True, expires=1_000.0), "hi", None, None),
]


@pytest.mark.parametrize(("_case", "policy", "text", "reply_to", "wanted"), POST_CASES, ids=[c[0] for c in POST_CASES])
def test_a_post_is_judged(_case: str, policy: Policy, text: str, reply_to: int | None, wanted: Reason | None) -> None:
    book = book_of(said("a"), said("b"), Deleted(2), PolicyChanged(policy))
    judgement = book.post(BO, NICK, text, reply_to, at(5.0))
    assert reason(judgement) is wanted
    assert judgement.body == Message(NICK, text, reply_to), "a refused draft still has its body"


@pytest.mark.parametrize("text", ["", "   "])
def test_words_that_are_none_are_refused_with_the_field_that_has_them(text: str) -> None:
    book = book_of(said("a"))
    for judgement in (book.post(ANA, NICK, text, None, at(0)), book.edit(ANA, 1, text, at(0))):
        assert judgement.refusal == Refused(Reason.BAD_FRAME, "there is no text in this message", path="text")


def test_a_reply_is_to_a_message_and_not_to_what_else_the_log_holds() -> None:
    """Any seq up to the head was taken for a message, which `react` did not do."""
    book = book_of(said("a"), Edited(1, "b"), said("c"), Deleted(3), said("d"), Edited(5, "e"), Hidden(5), Notice("f"))
    answers = {seq: reason(book.post(BO, NICK, "hi", seq, at(0))) for seq in range(1, book.head + 1)}
    assert [seq for seq, refused in answers.items() if refused is None] == [1, 3, 5]
    assert set(answers.values()) == {None, Reason.BAD_ANCHOR}
    book.fold(entry(9, Deleted(1)))
    assert reason(book.post(BO, NICK, "hi", 1, at(0))) is None, "gone since, and maybe unseen by who replies"
    assert reason(book.post(BO, NICK, "hi", 2, at(0))) is Reason.BAD_ANCHOR, "the edit of what is gone"


def test_a_reply_to_a_trimmed_message_is_allowed() -> None:
    """What the tail does not reach is not looked up."""
    book = Book.open(opening(entry(9, said("a")), oldest=9))
    assert reason(book.post(BO, NICK, "hi", 3, at(0))) is None


def test_a_freeze_says_why_and_until_when() -> None:
    book = book_of(PolicyChanged(Policy(frozen=True, reason="fight near the bar", expires=1_010.0)))
    refusal = book.post(ANA, NICK, "hi", None, at(0)).refusal
    assert refusal == Refused(Reason.FROZEN, "this room is frozen: fight near the bar", 10_000)
    book.fold(entry(2, PolicyChanged(Policy(frozen=True))))
    assert book.post(ANA, NICK, "hi", None, at(0)).refusal == Refused(Reason.FROZEN, "this room is frozen", None)


def test_two_quick_posts_cannot_both_pass_slow_mode() -> None:
    book = book_of(PolicyChanged(Policy(slow_s=10)))
    assert reason(book.post(ANA, NICK, "one", None, at(100))) is None
    refusal = book.post(ANA, NICK, "two", None, at(102.5)).refusal
    assert refusal == Refused(Reason.SLOW_MODE, "one message every 10 s in this room", 7_500)
    assert reason(book.post(BO, NICK, "mine", None, at(102.5))) is None, "slow mode is each member's own"
    assert reason(book.post(ANA, NICK, "three", None, at(109.999))) is Reason.SLOW_MODE, "a refusal does not prolong it"
    assert reason(book.post(ANA, NICK, "four", None, at(110))) is None
    assert reason(book.post(ANA, NICK, "five", None, at(110))) is Reason.SLOW_MODE


def test_the_wait_ends_with_the_rules() -> None:
    book = book_of(PolicyChanged(Policy(slow_s=60, expires=1_005.0)))
    book.post(ANA, NICK, "one", None, at(0))
    refusal = book.post(ANA, NICK, "two", None, at(1, 1_001.0)).refusal
    assert refusal is not None
    assert refusal.retry_after_ms == 4_000
    assert reason(book.post(ANA, NICK, "two", None, at(5, 1_005.0))) is None


@pytest.mark.parametrize(("text", "reply_to"), [("", None), ("hi", 99)])
def test_a_refused_post_does_not_count_for_slow_mode(text: str, reply_to: int | None) -> None:
    book = book_of(PolicyChanged(Policy(slow_s=10)))
    assert reason(book.post(ANA, NICK, text, reply_to, at(0))) is not None
    assert reason(book.post(ANA, NICK, "hi", None, at(0))) is None


def test_a_forgiven_post_does_not_count_for_slow_mode() -> None:
    book = book_of(PolicyChanged(Policy(slow_s=10)))
    book.post(ANA, NICK, "one", None, at(0))
    book.forgive(ANA, at(0))
    assert reason(book.post(ANA, NICK, "two", None, at(1))) is None
    book.forgive(ANA, at(0))
    book.forgive(BO, at(1))
    assert reason(book.post(ANA, NICK, "three", None, at(2))) is Reason.SLOW_MODE, "the pass at 1 still counts"


def test_new_rules_count_slow_mode_anew() -> None:
    book = book_of(PolicyChanged(Policy(slow_s=10)))
    book.post(ANA, NICK, "one", None, at(0))
    book.fold(entry(2, PolicyChanged(Policy(slow_s=20))))
    assert reason(book.post(ANA, NICK, "two", None, at(1))) is None
    assert reason(book.post(ANA, NICK, "three", None, at(20))) is Reason.SLOW_MODE


def test_slow_mode_remembers_nobody_longer_than_it_must() -> None:
    book = book_of(PolicyChanged(Policy(slow_s=10)))
    for n in range(1_000):
        assert reason(book.post(MemberId(f"m_{n}"), NICK, "hi", None, at(n))) is None
        assert len(book._spoke) <= 10
    book.fold(entry(2, PolicyChanged(Policy())))
    book.post(ANA, NICK, "hi", None, at(2_000))
    assert book._spoke == {}


def test_an_edit_needs_words_and_a_room_that_is_not_frozen() -> None:
    book = book_of(said("a"))
    assert book.edit(ANA, 1, "b", at(0)) == Judgement(Edited(1, "b"))
    assert reason(book.edit(ANA, 1, "  ", at(0))) is Reason.BAD_FRAME
    book.fold(entry(2, PolicyChanged(Policy(frozen=True, slow_s=10))))
    frozen = book.edit(ANA, 1, "b", at(0))
    assert (frozen.body, reason(frozen)) == (Edited(1, "b"), Reason.FROZEN)


def test_edits_do_not_wait_for_slow_mode() -> None:
    book = book_of(said("a"), PolicyChanged(Policy(slow_s=10)))
    book.post(ANA, NICK, "one", None, at(0))
    assert book.edit(ANA, 1, "b", at(0)).refusal is None


def test_ones_own_words_may_be_deleted_while_frozen() -> None:
    book = book_of(said("a"), PolicyChanged(Policy(frozen=True)))
    assert book.delete(ANA, 1, at(0)) == Judgement(Deleted(1))


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (Policy(rev=9, frozen=True, reason="x", expires=1_000.5), True),
        (Policy(slow_s=86_400, max_members=1, history=0, presence="off"), True),
        (Policy(expires=1_000.0), False),
        (Policy(expires=nan), False),
        (Policy(expires=inf), False),
        (Policy(slow_s=-1), False),
        (Policy(slow_s=nan), False),
        (Policy(slow_s=86_401), False),
        (Policy(max_members=0), False),
        (Policy(history=-1), False),
        (Policy(presence="maybe"), False),
    ],
)
def test_rules_that_cannot_hold_are_refused(policy: Policy, allowed: bool) -> None:
    book = book_of(PolicyChanged(Policy(frozen=True)))
    judgement = book.set_policy(policy, HOUSE, at(0))
    assert repr(judgement.body) == repr(PolicyChanged(evolve(policy, rev=0))), "NaN is not equal to itself"
    assert reason(judgement) is (None if allowed else Reason.BAD_FRAME)
