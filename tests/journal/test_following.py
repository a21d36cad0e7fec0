"""A following against commits that come early, twice, too many, or not at all."""

from collections.abc import Iterable

from attrs import define, field

from actors.events import Entry
from actors.journal.following import RoomFollowing
from actors.names import Cid, Epoch
from tests.journal.keeping import ANA, STAGE, message

E1, E2 = Epoch("e1"), Epoch("e2")


def entries(seqs: Iterable[int], epoch: Epoch = E1) -> list[Entry]:
    return [Entry(epoch, seq, 1.0, ANA, Cid(str(seq)), message(str(seq))) for seq in seqs]


@define
class Log:
    """Notes the repairs that are asked for; the test answers them."""

    asked: list[int] = field(factory=list)
    left: int = 0
    wakes: int = 0

    def repair(self, following: RoomFollowing) -> None:
        self.asked.append(following.last)

    def leave(self, following: RoomFollowing) -> None:
        self.left += 1

    def wake(self) -> None:
        self.wakes += 1

    def following(self, limit: int = 5) -> RoomFollowing:
        return RoomFollowing(self, STAGE, self.wake, limit)


def seqs(following: RoomFollowing) -> list[int]:
    return [entry.seq for entry in following.take()]


def test_what_the_opening_holds_already_is_not_shown_again() -> None:
    following = Log().following()
    assert not following.put(entries([1, 2, 3]))
    assert not following.has_news
    following.begin(E1, 2)
    assert following.has_news
    assert not following.put(entries([2, 3]))
    assert following.put(entries([4]))
    assert seqs(following) == [3, 4]


def test_commits_of_another_epoch_are_not_its_own() -> None:
    following = Log().following()
    following.put(entries([1], E2))
    following.begin(E1, 0)
    assert not following.put(entries([1], E2))
    assert seqs(following) == []
    assert not following.lagging


def test_more_than_it_may_hold_before_it_began_is_read_from_the_log() -> None:
    log = Log()
    following = log.following(limit=3)
    following.put(entries([1, 2]))
    following.put(entries([3, 4]))
    following.put(entries([5]))
    following.begin(E1, 2)
    assert log.asked == [2]
    following.repaired(E1, entries([3, 4, 5]), more=False)
    assert log.wakes == 1
    assert seqs(following) == [3, 4, 5]
    assert following.put(entries([6]))


def test_over_the_bound_the_rest_is_read_once_the_room_has_taken() -> None:
    log = Log()
    following = log.following(limit=3)
    following.begin(E1, 0)
    assert following.put(entries([1, 2, 3, 4]))
    assert not following.put(entries([5]))
    assert log.asked == []
    assert seqs(following) == [1, 2, 3]
    assert seqs(following) == []
    assert log.asked == [3]  # one at a time
    following.repaired(E1, entries([4]), more=True)
    assert not following.put(entries([6]))
    assert seqs(following) == [4]
    assert log.asked == [3, 4]
    following.repaired(E1, entries([5, 6]), more=False)
    following.put(entries([7]))
    assert seqs(following) == [5, 6, 7]


def test_a_hole_is_read_from_the_log() -> None:
    log = Log()
    following = log.following()
    following.begin(E1, 0)
    following.put(entries([1, 3]))
    assert seqs(following) == [1]
    assert log.asked == [1]
    following.repaired(E1, entries([2, 3]), more=False)
    assert seqs(following) == [2, 3]


def test_a_repair_that_failed_is_asked_for_again() -> None:
    log = Log()
    following = log.following()
    following.begin(E1, 0)
    following.retry()
    assert log.asked == []
    following.lag()
    following.retry()
    assert log.asked == [0]
    following.repair_failed()
    following.retry()
    assert log.asked == [0, 0]
    following.repaired(E1, [], more=False)
    following.retry()
    assert log.asked == [0, 0]
    assert log.wakes == 0


def test_whoever_is_told_to_lag_while_it_opens_reads_on_once_it_has_begun() -> None:
    """The repair was asked for at once, and its answer, of no epoch yet, was taken for the end of this one: an entry
    behind the opening's picture was shown to nobody until the next one came."""
    log = Log()
    following = log.following()
    following.lag()
    assert log.asked == []
    following.begin(E1, 10)
    assert log.asked == [10]
    following.repaired(E1, entries([11]), more=False)
    assert seqs(following) == [11]


def test_an_empty_part_of_a_repair_goes_on_by_itself() -> None:
    log = Log()
    following = log.following()
    following.begin(E1, 4)
    following.lag()
    following.repaired(E1, entries([3, 4]), more=True)
    assert log.asked == [4, 4]


def test_it_ends_with_its_epoch() -> None:
    log = Log()
    following = log.following()
    following.begin(E1, 4)
    following.lag()
    following.repaired(E2, entries([5], E2), more=True)
    assert (following.lagging, log.wakes, seqs(following)) == (False, 0, [])
    following.stop()
    assert log.left == 1


def test_it_says_how_far_retention_has_come() -> None:
    following = Log().following()
    following.begin(E1, 9, 3)
    assert following.oldest == 3
    assert following.trim(E1, 5)
    assert not following.trim(E1, 5)
    assert not following.trim(E1, 4)
    assert not following.trim(E2, 7)
    assert following.oldest == 5


def test_what_retention_took_while_the_room_was_opening_is_not_forgotten() -> None:
    following = Log().following()
    assert not following.trim(E1, 5)
    following.begin(E1, 9, 3)
    assert following.oldest == 5
    following = Log().following()
    following.trim(E2, 5)
    following.begin(E1, 9, 3)
    assert following.oldest == 3
