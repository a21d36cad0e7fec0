"""The roster keeps what it must, and no more."""

from actors.alerts.roster import Roster
from actors.alerts.vocabulary import ERASED
from tests.alerts.making import MAIN, member


def test_a_name_that_was_erased_does_not_come_back_with_a_batch_that_failed() -> None:
    """It was under way to the disk when its member was erased; the disk failed, and the name was put back and written
    behind the erasing."""
    roster = Roster(600)
    roster.joined(member(1), "rosa", MAIN, 10)
    people, stays = roster.take_unsaved(10)
    roster.erase(member(1))
    roster.put_back(people, stays)
    again, _ = roster.take_unsaved(10)
    assert [(each.member, each.nickname, each.at) for each in again] == [(member(1), ERASED, 10)]


def test_nothing_is_kept_of_a_room_whose_last_member_is_forgotten() -> None:
    roster = Roster(600)
    roster.joined(member(1), "rosa", MAIN, 10)
    roster.forget(11)
    assert list(roster.audience((MAIN,), 11)) == []
    assert roster._by_room == {}
