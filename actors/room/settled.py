"""Rules that the settings give to a listed room: written into its log like anybody's, when they say something new."""

from collections.abc import Callable

import trio
from attrs import evolve, frozen

from actors.events import Policy, PolicyChanged
from actors.journal.log import Opening, Stored
from actors.names import HOUSE, Cid
from actors.refusals import Refused
from actors.room.book import Book
from actors.room.messages import Reply
from actors.room.patience import pauses
from actors.room.tools import Verdict

SETTINGS = "settings-"
"""How the cids of rules begin that come from the settings. No client can use HOUSE's cids."""
CARRIED = "carried-"
"""... and of rules that were in force in an epoch that was set aside, and that its next one began with."""
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0


def say_something_new(wanted: Policy, opening: Opening) -> bool:
    """What operators have ordered since the settings last did stands, whatever restarts. When the rules in force were
    carried into a new epoch and what the settings had said was not, nobody knows what is new: damage must not lift a
    freeze, so the rules in force stand."""
    rules = {entry.seq: entry for entry in (*opening.rules, *opening.tail)}
    ours = [
        (entry.cid, evolve(entry.body.policy, rev=0))
        for _, entry in sorted(rules.items())
        if isinstance(entry.body, PolicyChanged) and entry.author == HOUSE
    ]
    applied = [policy for cid, policy in ours if cid.startswith(SETTINGS)]
    if not applied:
        return not any(cid.startswith(CARRIED) for cid, _ in ours)
    return applied[-1] != evolve(wanted, rev=0)


class Settled:
    """The rules on their way into the log. `append`: by HOUSE."""

    def __init__(self, wanted: Policy, book: Book, append: Callable[[Cid, PolicyChanged, Reply[Stored]], None]) -> None:
        self._body = PolicyChanged(wanted)
        self._cid = Cid(f"{SETTINGS}{book.name}-{book.epoch}-{book.head}")
        self._book = book
        self._append = append
        self._before = book.policy.rev
        self._under_way = 0
        self._overruled = False
        self._write()

    def _write(self) -> None:
        self._verdict = Verdict()
        self._append(self._cid, self._body, self._verdict)

    async def seq(self) -> int:
        """Where they stand; 0: they were not written."""
        return await self._verdict.seq()

    def overheard(self, reply: Reply[Stored]) -> Reply[Stored]:
        """To be answered by the log in the place of `reply`: an operator's rules are on their way."""
        self._under_way += 1
        return Overheard(self, reply)

    def heard(self, verdict: Stored | Refused) -> None:
        self._under_way -= 1
        self._overruled |= isinstance(verdict, Stored)

    async def try_again(self) -> None:
        """Until they are written: a disk that refuses them does so for a while. Not over the head of an operator who
        has given the room other rules meanwhile, nor while such rules are on their way: what is handed in later would
        be in force."""
        for pause_s in pauses(FIRST_PAUSE_S, LONGEST_PAUSE_S):
            if await self.seq():
                return
            await trio.sleep(pause_s)
            if self._overruled or self._book.policy.rev != self._before:
                return
            if not self._under_way:
                self._write()


@frozen
class Overheard:
    """Stands between the log's verdict on an operator's rules and the operator."""

    settled: Settled
    reply: Reply[Stored]

    def answer(self, value: Stored | Refused) -> None:
        self.settled.heard(value)
        self.reply.answer(value)
