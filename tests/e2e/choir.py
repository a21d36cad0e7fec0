"""Many who listen, cheaply: each checks every frame's number as it comes and keeps when it came. Half a million frames
would be too many to parse."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field

from bench.wire import CLOSE, TEXT, masked, next_frame
from tests.e2e.crowd import ROOM, percentile
from tests.e2e.talker import Talker, talking

SEQ = re.compile(rb'"seq":(\d+)')
TEXT_MARK = re.compile(rb'"text":"(\d+)')
ENTRY = b'{"type":"message"'


@define(eq=False)
class Listener:
    """`stamps`: seconds from the post of a message, which says when in its text, to its coming here."""

    talker: Talker
    epoch: str
    seq: int
    stamps: list[float] = field(factory=list)
    behind: int = 0
    over: str = ""

    async def listen(self) -> None:
        """Takes over from the talker's own reader. Until the end of the connection."""
        buf, stream = b"", self.talker.stream
        while True:
            try:
                data = await stream.receive_some(262_144)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                data = b""
            if not data:
                self.over = self.over or "end of stream"
                return
            now = trio.current_time()
            buf = buf + data if buf else data
            at = 0
            while (frame := next_frame(buf, at)) is not None:
                if frame.opcode == TEXT and buf.startswith(ENTRY, frame.start):
                    self._entry(buf, frame.start, frame.end, now)
                else:
                    await self._other(frame.opcode, buf[frame.start : frame.end])
                at = frame.end
            buf = buf[at:]

    def _entry(self, buf: bytes, start: int, end: int, now: float) -> None:
        found, posted = SEQ.search(buf, start, end), TEXT_MARK.search(buf, start, end)
        assert found is not None
        assert posted is not None
        assert int(found[1]) == self.seq + 1, f"{found[1]!r} came where {self.seq + 1} was due"
        self.seq += 1
        self.stamps.append(now - int(posted[1]) / 1e6)

    async def _other(self, opcode: int, payload: bytes) -> None:
        if opcode == CLOSE:
            self.over = f"closed {int.from_bytes(payload[:2], 'big')}"
        elif b'"type":"behind"' in payload:
            self.behind += 1
        elif b'"type":"heartbeat"' in payload:
            await self.talker.stream.send_all(masked(TEXT, payload))
        else:
            assert b'"type":"gap"' not in payload, payload


@asynccontextmanager
async def choir(port: int, count: int) -> AsyncIterator[list[Listener]]:
    """All of them level in the room."""
    async with trio.open_nursery() as nursery:
        singers: list[Listener] = []

        async def sing(number: int, *, task_status: trio.TaskStatus[None]) -> None:
            async with talking(port, f"singer{number}") as talker:
                ok = await talker.good("join", room=ROOM, since=None, tail=0, presence=False)
                await talker.hears("caught_up")
                singer = Listener(talker, ok["epoch"], ok["head"])
                singers.append(singer)
                await talker.hand_over()
                task_status.started()
                await singer.listen()

        for number in range(count):
            await nursery.start(sing, number)
        yield singers
        nursery.cancel_scope.cancel()


def p99_ms(singers: list[Listener]) -> float:
    return percentile([stamp for singer in singers for stamp in singer.stamps], 0.99) * 1000
