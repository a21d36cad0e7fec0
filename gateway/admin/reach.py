"""What orders need of the attendees' side of the gateway: who is connected from where, tokens, the way out."""

import signal
from collections.abc import Callable, Iterable

import trio
from attrs import define, field

from actors.names import MemberId
from actors.people.outlet import Visit
from gateway import voice
from gateway.protocol.codes import CloseCode
from gateway.protocol.orders import NoteFrame
from gateway.reception import Reception

STOP_AFTER_S = 0.25


def stop_this_process() -> None:
    """As the process manager would: the way out is the same, whoever asks for it."""
    signal.raise_signal(signal.SIGTERM)


@define(eq=False)
class Reach:
    """actors.admin.world.Gateway. `reception` is there once the gateway stands, which is before anybody can sign in."""

    stop: Callable[[], None] = stop_this_process
    reception: Reception | None = field(init=False, default=None)

    @property
    def _here(self) -> Reception:
        assert self.reception is not None
        return self.reception

    def token_for(self, member: MemberId) -> str:
        return self._here.issue_token(member)

    def addresses(self, member: MemberId) -> tuple[str, ...]:
        return tuple(sorted({each.remote for each in self._here.inside if each.member == member}))

    def behind(self, addresses: Iterable[str]) -> int:
        wanted = set(addresses)
        return len({each.member for each in self._here.inside if each.remote in wanted and each.member})

    def part(self, member: MemberId, code: int) -> int:
        out = [each for each in self._here.inside if each.is_of(member)]
        for each in out:
            each.part(code)
        return len(out)

    def look_at_the_door(self) -> int:
        standing, now = self._here.house.standing, self._here.wall()
        out = [
            each
            for each in self._here.inside
            if standing.may_come_in(each.member or None, each.remote, now) is not None
        ]
        for each in out:
            each.part(CloseCode.BANNED)
        return len(out)

    def drain(self) -> None:
        """In a moment: whoever ordered it is to hear that it was done."""
        self._here.tasks.start_soon(self._stop_soon)

    async def _stop_soon(self) -> None:
        await trio.sleep(STOP_AFTER_S)
        self.stop()

    def note(self, visits: Iterable[Visit], text: str) -> int:
        frame = voice.framed(NoteFrame(self._here.wall(), text))
        count = 0
        for visit in visits:
            visit.outlet.control(frame)
            count += 1
        return count
