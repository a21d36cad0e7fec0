"""Who was reached by one revision of an alert. Pure; counts are kept as rows change, so that a look at fifty thousand
rows costs nothing.

The equation, after every step: targeted = unreachable + queued + written + received + seen + acknowledged. Members who
came to a target room afterwards are rows too, and counted apart."""

from collections.abc import Iterator
from itertools import islice

from attrs import define, frozen

from actors.alerts.messages import PAGE_ROWS, Final, NamesPage, Person, Score, Tally
from actors.alerts.vocabulary import ASKED, ERASED, AlertId, Reach
from actors.names import MemberId, RoomName

_HELP, _JOINED, _HELPED, _CELLS = 6, 7, 8, 9
"""Cells of a row of counts, behind the six of Reach."""
STATES = (*(reach.word for reach in Reach), "help", "help_open", "unanswered", "joined_after")


@define(eq=False)
class Row:
    member: MemberId
    nickname: str
    rooms: tuple[RoomName, ...]
    """Of the target rooms, those where the member was."""
    joined_after: bool
    reach: Reach
    at: float
    """Unix seconds, when `reach` was reached."""
    help: bool = False
    note: str = ""
    helped: bool = False
    """The call for help has been dealt with."""

    def person(self) -> Person:
        return Person(
            self.member, self.nickname, self.reach, self.at, self.help, self.note, self.joined_after, self.rooms,
            self.helped,
        )  # fmt: skip


@frozen
class Key:
    """Which ledger."""

    alert: AlertId
    rev: int


class Ledger:
    """`wanted`: who is below it has not answered. `sent`: Unix seconds."""

    def __init__(self, key: Key, wanted: Reach, sent: float) -> None:
        self.key = key
        self.wanted = wanted
        self.sent = sent
        self.rows: dict[MemberId, Row] = {}
        self.unsaved: dict[MemberId, None] = {}
        """Rows that have changed since they were last handed to the store."""
        self._counts = [0] * _CELLS
        self._rooms: dict[RoomName, list[int]] = {}
        self._by_reach: tuple[dict[MemberId, None], ...] = tuple({} for _ in Reach)
        self._help: dict[MemberId, None] = {}
        """Open calls; those that have been dealt with are in `_helped`."""
        self._helped: dict[MemberId, None] = {}
        self._joined: dict[MemberId, None] = {}
        self._answered_s: list[float] = []
        """Seconds after sending at which each target came to the wanted state, in that order."""

    def add(self, row: Row, saved: bool = False) -> bool:
        """False: the member is in it already, and stays what it is."""
        if row.member in self.rows:
            return False
        self.rows[row.member] = row
        if not saved:
            self.unsaved[row.member] = None
        if row.joined_after:
            self._joined[row.member] = None
            self._count(row, _JOINED, 1)
        else:
            self._by_reach[row.reach][row.member] = None
            self._count(row, row.reach, 1)
            if row.reach >= self.wanted:
                self._answered_s.append(row.at - self.sent)
        if row.help:
            (self._helped if row.helped else self._help)[row.member] = None
            self._count(row, _HELP, 1)
            self._count(row, _HELPED, row.helped)
        return True

    def raise_to(self, member: MemberId, reach: Reach, at: float) -> bool:
        """False: not in it, or there already. A state never falls."""
        row = self.rows.get(member)
        if row is None or row.reach >= reach:
            return False
        before, row.reach, row.at = row.reach, reach, at
        self.unsaved[member] = None
        if not row.joined_after:
            del self._by_reach[before][member]
            self._by_reach[reach][member] = None
            self._count(row, before, -1)
            self._count(row, reach, 1)
            if before < self.wanted <= reach:
                self._answered_s.append(at - self.sent)
        return True

    def ask_help(self, member: MemberId, note: str, at: float) -> bool:
        """Whoever asks for help has seen the alert. The newest note stands; an empty one takes nothing away."""
        row = self.rows[member]
        risen = self.raise_to(member, Reach.SEEN, at)
        if row.help and note in ("", row.note):
            return risen
        if not row.help:
            row.help = True
            self._help[member] = None
            self._count(row, _HELP, 1)
        row.note = note or row.note
        self.unsaved[member] = None
        return True

    def resolve_help(self, member: MemberId, done: bool) -> bool:
        """False: no call of this member is here, or it stands so already."""
        row = self.rows.get(member)
        if row is None or not row.help or row.helped == done:
            return False
        row.helped = done
        before, after = (self._help, self._helped) if done else (self._helped, self._help)
        del before[member]
        after[member] = None
        self._count(row, _HELPED, 1 if done else -1)
        self.unsaved[member] = None
        return True

    def erase(self, member: MemberId) -> None:
        """Who it was and what they wrote; what they had answered stays counted."""
        row = self.rows.get(member)
        if row is not None:
            row.nickname, row.note = ERASED, ""

    def _count(self, row: Row, cell: int, by: int) -> None:
        self._counts[cell] += by
        for room in row.rooms:
            counts = self._rooms.get(room)
            if counts is None:
                counts = self._rooms[room] = [0] * _CELLS
            counts[cell] += by

    # -- looking -------------------------------------------------------------------------------------------------------

    def tally(self) -> Tally:
        return Tally(*self._counts)

    def final(self) -> Final:
        return Final(self.key.rev, ASKED[self.wanted], self.tally())

    def by_room(self) -> dict[RoomName, Tally]:
        return {room: Tally(*counts) for room, counts in self._rooms.items()}

    @property
    def targeted(self) -> int:
        return sum(self._counts[:6])

    @property
    def answered(self) -> int:
        return sum(self._counts[self.wanted : 6])

    @property
    def answered_part(self) -> float:
        """1 when there is nobody to answer."""
        targeted = self.targeted
        return self.answered / targeted if targeted else 1.0

    def is_below(self, member: MemberId) -> bool:
        """To be reminded: below the wanted state, and not waiting for help. Those who joined after too."""
        row = self.rows.get(member)
        return row is not None and row.reach < self.wanted and not row.help

    def score(self) -> Score:
        targeted = self.targeted
        reached = sum(self._counts[Reach.WRITTEN : 6])
        times = sorted(self._answered_s)

        def when(part: float) -> float | None:
            place = max(1, -int(-part * targeted // 1))
            return round(times[place - 1], 3) if targeted and place <= len(times) else None

        return Score(reached / targeted if targeted else 1.0, self.answered_part, when(0.5), when(0.9))

    def names(self, state: str, room: RoomName | None, page: int) -> NamesPage:
        """`state`: one of STATES. A page past the end is empty."""
        if room is None:
            groups = self._groups(state)
            total = sum(map(len, groups))
            members = islice((member for group in groups for member in group), (page - 1) * PAGE_ROWS, page * PAGE_ROWS)
            people = [self.rows[member].person() for member in members]
        else:
            found = [member for group in self._groups(state) for member in group if room in self.rows[member].rooms]
            total = len(found)
            people = [self.rows[member].person() for member in found[(page - 1) * PAGE_ROWS : page * PAGE_ROWS]]
        return NamesPage(tuple(people), page, max(1, -(-total // PAGE_ROWS)), total)

    def _groups(self, state: str) -> list[dict[MemberId, None]]:
        match state:
            case "help":
                return [self._help, self._helped]
            case "help_open":
                return [self._help]
            case "joined_after":
                return [self._joined]
            case "unanswered":
                return [self._by_reach[reach] for reach in Reach if reach < self.wanted]
            case _:
                return [self._by_reach[Reach[state.upper()]]]

    # -- saving --------------------------------------------------------------------------------------------------------

    def take_unsaved(self, most: int) -> Iterator[Row]:
        """Rows to be written, no longer unsaved: whoever cannot write them puts them back."""
        taken = list(islice(self.unsaved, most))
        for member in taken:
            del self.unsaved[member]
            yield self.rows[member]

    def successor(self, key: Key, wanted: Reach, sent: float) -> "Ledger":
        """Of a new revision: the same targets and those who joined after, nobody reached yet. Help stays asked for."""
        ledger = Ledger(key, wanted, sent)
        for row in self.rows.values():
            asked = (row.help, row.note, row.helped)
            ledger.add(Row(row.member, row.nickname, row.rooms, False, Reach.UNREACHABLE, sent, *asked))
        return ledger
