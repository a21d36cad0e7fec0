"""An outlet on a transport whose pace the test sets, with what it reported."""

from itertools import pairwise

import trio
from trio.testing import wait_all_tasks_blocked

from actors.names import RoomName
from actors.people.outlet import Batch
from gateway.outlet import SocketOutlet
from gateway.wire.contract import Lost
from gateway.wire.framing import close_frame, frame_ends, text_frame
from gateway.wire.limits import WireLimits
from tests.gateway.slow_transport import SlowTransport

PIT, STAGE = RoomName("pit"), RoomName("stage")
BYE = b"bye"
GOODBYE = text_frame(b"bye 4200") + close_frame(4200)
LIMITS = WireLimits(chat_bytes=2_000, chat_frames=20, control_frames=5, alert_frames=4, news_keys=3)


def batch(room: RoomName, first: int, last: int, size: int = 20, extra: bytes = b"") -> Batch:
    frames = [text_frame(f"{room} {seq} ".encode().ljust(size, b".")) for seq in range(first, last + 1)]
    if extra:
        frames.append(text_frame(extra))
    return Batch(room, first, last, b"".join(frames), len(frames))


def words(blob: bytes) -> list[bytes]:
    """The payloads of whole text frames, without their padding."""
    starts = [0, *frame_ends(blob)]
    assert starts[-1] == len(blob), "half a frame"
    return [blob[a:b][2 if blob[a + 1] < 126 else 4 :].rstrip(b". ") for a, b in pairwise(starts)]


class Bench:
    """An outlet on a slow transport, with what it reported."""

    def __init__(self, nursery: trio.Nursery, limits: WireLimits = LIMITS, *, direct: bool = True) -> None:
        self.pipe = SlowTransport(direct)
        self.nursery = nursery
        self.behind: list[tuple[RoomName, int]] = []
        self.dead: list[Lost] = []
        self.outlet = SocketOutlet(
            self.pipe,
            nursery,
            bye=lambda code, _: b"bye %d" % code,
            on_behind=lambda room, first: self.behind.append((room, first)),
            on_dead=self.dead.append,
            limits=limits,
        )

    async def take(self, size: int) -> None:
        self.pipe.allow(size)
        await wait_all_tasks_blocked()

    def words(self) -> list[bytes]:
        return words(bytes(self.pipe.wire))


def fill(bench: Bench, room: RoomName = STAGE) -> None:
    """Chat until it is one too many."""
    seq = 1
    while bench.outlet.chat(batch(room, seq, seq)):
        seq += 1
