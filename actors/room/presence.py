"""Who is here, by member and not by connection, and when the room says so. Pure; time is an argument.

A member whose last connection is gone stays here, with their name, until people/ says that their grace is over.
Every event is O(1) - and once somebody has asked for the list, O(log n) compares and one short memmove - so that a
storm of 10,000 joins never costs 10,000 x 10,000."""

import re
from bisect import bisect_left, insort
from collections.abc import Callable
from math import inf

from attrs import define, frozen

from actors.names import MemberId, Nickname
from actors.room.messages import MemberCard, MembersPage

DIFF_UP_TO = 200
COUNTS_ABOVE = 250
DIFF_EVERY_S = 1.0
COUNTS_EVERY_S = 5.0
TICK_SLACK_S = 0.05
"""A once-a-second tick may come this much early without being put off to the next."""
COUNTS_STEP = 5
PAGE = 200
NUMBER = re.compile(r"[0-9]+$")


@frozen
class Diff:
    """What changed since the last announcement: leaves first, then joins; a join of somebody present is a new name.

    It applies to a list as of `rev - 1`. Whoever sees a rev left out, or another instance, asks for the members anew;
    so an empty diff after counts says that diffs begin again. To a list that is newer it does no harm."""

    instance: str
    rev: int
    joins: tuple[MemberCard, ...]
    leaves: tuple[MemberId, ...]
    online: int


@frozen
class Counted:
    """The room is too full to name everyone."""

    instance: str
    rev: int
    online: int


Announcement = Diff | Counted


@define
class _Here:
    nickname: Nickname
    skeleton: str
    wanted: str
    """Skeleton of the name before any suffix."""
    seats: int
    former: Nickname | None = None
    """What they were called here before."""


@define
class _Wanted:
    """A name that some members here have or wanted."""

    members: int = 0
    next_suffix: int = 2


_Row = tuple[str, MemberId, MemberCard]
"""A line of the list, in its order; no two have the same member, so cards are never compared."""


class Presence:
    def __init__(
        self,
        instance: str,
        skeleton: Callable[[str], str],
        with_suffix: Callable[[Nickname, int], Nickname],
    ) -> None:
        """`skeleton`: equal for names that look alike. `with_suffix(name, n)`: the name told apart by n = 2, 3 ..."""
        self.instance = instance
        self.rev = 0
        self._skeleton = skeleton
        self._with_suffix = with_suffix
        self._here: dict[MemberId, _Here] = {}
        self._taken: dict[str, MemberId] = {}
        self._wanted: dict[str, _Wanted] = {}
        self._before: dict[MemberId, Nickname | None] = {}
        """Member with news -> the name last announced; None = was not here."""
        self._many = False
        self._unsure = False
        """Changes went by that no diff will name: the next announcement makes everyone's list stale."""
        self._said_online = 0
        self._said_at = -inf
        self._listing: list[_Row] | None = None

    def knows(self, member: MemberId) -> bool:
        """Here, or within grace."""
        return member in self._here

    @property
    def online(self) -> int:
        """Members, those within their grace included."""
        return len(self._here)

    def everybody(self) -> tuple[MemberId, ...]:
        return tuple(self._here)

    def nickname(self, member: MemberId) -> Nickname | None:
        """As it stands in this room; None: not here."""
        here = self._here.get(member)
        return None if here is None else here.nickname

    def connections(self, member: MemberId) -> int:
        here = self._here.get(member)
        return 0 if here is None else here.seats

    # Events

    def enter(self, member: MemberId, nickname: Nickname) -> Nickname:
        """One more connection of this member. Returns the name as it stands in this room. A member who is here, or
        within grace, and comes in under another name is called so from now on."""
        here = self._here.get(member)
        if here is not None:
            here.seats += 1
            return self._call(member, here, nickname)
        wanted = self._skeleton(nickname)
        given = self._free_name(nickname, wanted)
        here = _Here(given, wanted if given == nickname else self._skeleton(given), wanted, seats=1)
        self._here[member] = here
        self._take_name(member, here)
        self._note(member, None)
        return given

    def rename(self, member: MemberId, nickname: Nickname) -> Nickname | None:
        """The member is called differently in the house. Returns the name as it stands in this room; None: not here."""
        here = self._here.get(member)
        return None if here is None else self._call(member, here, nickname)

    def leave_seat(self, member: MemberId) -> bool:
        """One connection fewer. True: it was the last, and grace begins; nothing is announced yet."""
        here = self._here.get(member)
        if here is None or here.seats == 0:
            return False
        here.seats -= 1
        return here.seats == 0

    def lapse(self, member: MemberId) -> bool:
        """Grace is over. False: the member has come back meanwhile, or was not here."""
        here = self._here.get(member)
        return here is not None and here.seats == 0 and self.leave_now(member)

    def leave_now(self, member: MemberId) -> bool:
        """Gone without grace, whatever connections were counted: they said goodbye, or were thrown out."""
        here = self._here.pop(member, None)
        if here is None:
            return False
        self._give_name_back(member, here)
        self._note(member, here.nickname)
        return True

    def settle(self) -> None:
        """Whoever is here by now was here all along (a room that starts again): nothing of it is announced."""
        self._before.clear()
        self._unsure = False
        self._said_online = self.online

    # What the room says

    @property
    def has_news(self) -> bool:
        """`due` has something to tell, now or when its time has come."""
        if self._many and not self._unsure:
            return abs(self.online - self._said_online) >= min(COUNTS_STEP, max(1.0, self._said_online / 100))
        return self._unsure or bool(self._before)

    def due(self, now_mono: float, presence: str = "auto") -> Announcement | None:
        """What to tell everyone now, if anything; it counts as told. `presence`: the policy's word, auto | off.
        While `has_news` holds afterwards, ask again in a second. Cost: the changes since the last, a few hundred."""
        if presence == "off":
            if self.has_news:
                self.rev += 1
                self.settle()
            return None
        every_s = COUNTS_EVERY_S if self._many and not self._unsure else DIFF_EVERY_S
        if not self.has_news or now_mono - self._said_at < every_s - TICK_SLACK_S:
            return None
        if self._many:
            self._tell(now_mono)
            return Counted(self.instance, self.rev, self.online)
        return self._diff(now_mono)

    def page(self, number: int) -> MembersPage:
        """Members by nickname, 200 a page, from page 1; a page that is not there is empty."""
        if self._listing is None:
            self._listing = sorted(_row(member, here.nickname) for member, here in self._here.items())
        start = (number - 1) * PAGE
        rows = self._listing[start : start + PAGE] if number >= 1 else []
        return MembersPage(tuple(card for _, _, card in rows), number, max(1, -(-self.online // PAGE)), self.online)

    # Names

    def _call(self, member: MemberId, here: _Here, nickname: Nickname) -> Nickname:
        if nickname == here.nickname:
            return nickname
        wanted = self._skeleton(nickname)
        given = self._name_for(member, here, nickname, wanted)
        before = here.nickname
        if given != before:
            self._give_name_back(member, here)
            here.nickname, here.skeleton, here.wanted, here.former = given, self._skeleton(given), wanted, before
            self._take_name(member, here)
            self._note(member, before)
        return given

    def _name_for(self, member: MemberId, here: _Here, nickname: Nickname, wanted: str) -> Nickname:
        """The one asked for, unless it is somebody else's; then with the suffix that they have, or had, if any."""
        if self._taken.get(wanted, member) == member:
            return nickname
        if self._has_suffix(nickname, here.nickname):
            return here.nickname
        former = here.former
        if former is not None and self._has_suffix(nickname, former) and self._skeleton(former) not in self._taken:
            return former
        return self._free_name(nickname, wanted)

    def _has_suffix(self, nickname: Nickname, name: Nickname) -> bool:
        """`name` is `nickname`, told apart from another."""
        number = NUMBER.search(name)
        return number is not None and self._with_suffix(nickname, int(number[0])) == name

    def _take_name(self, member: MemberId, here: _Here) -> None:
        self._taken[here.skeleton] = member
        self._wanted.setdefault(here.wanted, _Wanted()).members += 1
        if self._listing is not None:
            insort(self._listing, _row(member, here.nickname))

    def _give_name_back(self, member: MemberId, here: _Here) -> None:
        del self._taken[here.skeleton]
        wanted = self._wanted[here.wanted]
        wanted.members -= 1
        if wanted.members == 0:
            del self._wanted[here.wanted]
        if self._listing is not None:
            del self._listing[bisect_left(self._listing, _row(member, here.nickname))]

    def _free_name(self, nickname: Nickname, wanted: str) -> Nickname:
        if wanted not in self._taken:
            return nickname
        # Everyone may want the same name: the search goes on where the last one ended.
        memory = self._wanted.setdefault(wanted, _Wanted())
        while True:
            given = self._with_suffix(nickname, memory.next_suffix)
            memory.next_suffix += 1
            if self._skeleton(given) not in self._taken:
                return given

    # Within

    def _note(self, member: MemberId, before: Nickname | None) -> None:
        if self._many and self.online <= DIFF_UP_TO:
            self._many, self._unsure = False, True
        elif not self._many and self.online > COUNTS_ABOVE:
            self._many, self._unsure = True, True
            self._before.clear()
        if not self._many:
            self._before.setdefault(member, before)

    def _diff(self, now_mono: float) -> Diff | None:
        joins: list[MemberCard] = []
        leaves: list[MemberId] = []
        for member, before in self._before.items():
            after = self.nickname(member)
            if after is None and before is not None:
                leaves.append(member)
            elif after is not None and after != before:
                joins.append(MemberCard(member, after))
        self._before.clear()
        if not joins and not leaves and not self._unsure:
            return None
        self._tell(now_mono)
        return Diff(self.instance, self.rev, tuple(joins), tuple(leaves), self.online)

    def _tell(self, now_mono: float) -> None:
        # A revision left out tells those who keep a list that it can no longer be mended.
        self.rev += 2 if self._unsure else 1
        self._unsure = False
        self._said_online = self.online
        self._said_at = now_mono


def _row(member: MemberId, nickname: Nickname) -> _Row:
    return nickname.casefold(), member, MemberCard(member, nickname)
