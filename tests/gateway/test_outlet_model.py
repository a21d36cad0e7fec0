"""Whatever is offered and however the bytes go, what the peer reads is whole frames, and each room's in order.

Rooms, seats and feeding as the house does them, against an outlet with small bounds. The peer is strict: a seq that
repeats or is missing means that what the outlet reported was not exactly what it dropped."""

from itertools import pairwise

import pytest
import trio
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from actors.names import Epoch, MemberId, Nickname, RoomName
from actors.people.outlet import Batch, Seat
from gateway.outlet import SocketOutlet
from gateway.wire.contract import Lost
from gateway.wire.framing import close_frame, frame_ends, text_frame
from gateway.wire.limits import WireLimits
from tests.gateway.slow_transport import SlowTransport

ROOMS = tuple(RoomName(name) for name in ("pit", "stage", "camp"))
LIMITS = WireLimits(chat_bytes=4_000, chat_frames=40, control_frames=10_000, alert_frames=10_000)
GOODBYE = text_frame(b"bye") + close_frame(4200)
EVERYTHING = 1 << 40


@define
class Room:
    """One room and its one member."""

    name: RoomName
    seat: Seat
    head: int = 0
    sizes: list[int] = field(factory=list)
    waits_to_feed: bool = False

    def frames(self, first: int, last: int) -> list[bytes]:
        return [
            text_frame(b"%s %d " % (self.name.encode(), seq) + b"." * self.sizes[seq - 1])
            for seq in range(first, last + 1)
        ]


@define
class World:
    outlet: SocketOutlet
    pipe: SlowTransport
    rooms: dict[RoomName, Room]
    expected: dict[str, list[bytes]] = field(factory=lambda: {"alert": [], "control": []})
    marks: list[tuple[int, bytes]] = field(factory=list)
    """(bytes that had left for good when it was offered, alert)"""

    def committed(self) -> int:
        return len(self.pipe.wire) + len(self.pipe._held)

    def post(self, room: Room, sizes: list[int]) -> None:
        room.sizes += sizes
        first, room.head = room.head + 1, room.head + len(sizes)
        if not room.seat.level:
            return
        frames = room.frames(first, room.head)
        if self.outlet.chat(Batch(room.name, first, room.head, b"".join(frames), len(frames))):
            room.seat.cursor = room.head
        assert room.seat.level == (room.seat.cursor == room.head)

    def feed(self, room: Room) -> None:
        """One page when idle, and level when there is nothing more."""
        seat = room.seat
        if seat.level or room.waits_to_feed:
            return
        room.waits_to_feed = True
        self.outlet.when_idle(lambda: self._page(room))

    def _page(self, room: Room) -> None:
        room.waits_to_feed = False
        seat = room.seat
        first, last = seat.cursor + 1, min(seat.cursor + 6, room.head)
        frames = room.frames(first, last)
        extra = [text_frame(b"caught_up %s %d" % (room.name.encode(), last))] if last == room.head else []
        seat.cursor, seat.level = last, last == room.head
        self.outlet.page(Batch(room.name, first, last, b"".join(frames + extra), len(frames) + len(extra)))

    def say(self, lane: str, number: int) -> None:
        frame = text_frame(b"%s %d" % (lane.encode(), number))
        if lane == "alert":
            self.marks.append((self.committed(), frame))
            self.outlet.alert(frame)
        else:
            self.outlet.control(frame)
        self.expected[lane].append(frame)


POSTS = st.tuples(
    st.just("post"),
    st.sampled_from([*ROOMS, ROOMS[0], ROOMS[0]]),
    st.lists(st.sampled_from([0, 1, 30, 124, 130, 300]), min_size=1, max_size=6),
)
TAKES = st.tuples(st.just("take"), st.sampled_from([1, 3, 30, 100, 100, 333, 500, 1_000, 5_000]), st.none())
FEEDS = st.tuples(st.just("feed"), st.sampled_from(ROOMS), st.none())
SAYS = st.tuples(st.sampled_from(["alert", "control"]), st.none(), st.none())
ACTIONS = st.one_of(
    POSTS,
    POSTS,
    TAKES,
    TAKES,
    FEEDS,
    FEEDS,
    SAYS,
    SAYS,
    st.tuples(st.just("news"), st.sampled_from(["policy", "presence"]), st.none()),
)


async def play(direct: bool, actions: list[tuple[str, object, object]], finish: bool) -> None:
    async with trio.open_nursery() as nursery:
        pipe = SlowTransport(direct)
        dead: list[Lost] = []
        rooms: dict[RoomName, Room] = {}
        outlet = SocketOutlet(
            pipe,
            nursery,
            bye=lambda code, _: b"bye",
            on_behind=lambda room, first: rooms[room].seat.rewind(first),
            on_dead=dead.append,
            limits=LIMITS,
        )
        for name in ROOMS:
            seat = Seat(name, MemberId("m"), Nickname("n"), outlet, Epoch("e"), level=True)
            rooms[name] = Room(name, seat)
        world = World(outlet, pipe, rooms)
        for number, action in enumerate(actions):
            await act(world, number, action)
        if finish:
            left = world.committed()
            outlet.finish(4200)
            pipe.allow(EVERYTHING)
            await wait_all_tasks_blocked()
            check_goodbye(bytes(pipe.wire), left)
        else:
            pipe.allow(EVERYTHING)
            await wait_all_tasks_blocked()
            for room in rooms.values():
                while not room.seat.level:
                    world.feed(room)
                    await wait_all_tasks_blocked()
            check_all_arrived(world)
        assert not dead
        nursery.cancel_scope.cancel()


async def act(world: World, number: int, action: tuple[str, object, object]) -> None:
    match action:
        case ("post", str(name), list(sizes)):
            world.post(world.rooms[RoomName(name)], sizes)
        case ("feed", str(name), _):
            world.feed(world.rooms[RoomName(name)])
        case ("news", str(key), _):
            world.outlet.news(key, text_frame(b"news %s %d" % (key.encode(), number)))
        case ("take", int(size), _):
            world.pipe.allow(size)
            await wait_all_tasks_blocked()
        case (lane, _, _):
            world.say(lane, number)


def check_goodbye(wire: bytes, left: int) -> None:
    """What had begun is finished, a few answers may follow, then the goodbye and nothing more."""
    assert wire.endswith(GOODBYE)
    ends = list(frame_ends(wire))
    assert ends[-1] == len(wire)
    begun = next((end for end in ends if end >= left), 0)
    between = wire[begun : len(wire) - len(GOODBYE)]
    for start, end in pairwise([0, *frame_ends(between)]):
        assert between[start + 2 : end].startswith((b"alert", b"control"))


def check_all_arrived(world: World) -> None:
    wire = bytes(world.pipe.wire)
    ends = list(frame_ends(wire))
    assert (ends[-1] if ends else 0) == len(wire)
    frames = [wire[a:b] for a, b in pairwise([0, *ends])]
    for room in world.rooms.values():
        mark = room.name.encode() + b" "
        mine = [frame for frame in frames if mark in (frame[2 : 2 + len(mark)], frame[4 : 4 + len(mark)])]
        assert mine == room.frames(1, room.head), "in order, none twice, none missing"
    for lane, offered in world.expected.items():
        assert [frame for frame in frames if frame[2:].startswith(lane.encode())] == offered
    check_alerts_overtake(world, frames, ends)


def check_alerts_overtake(world: World, frames: list[bytes], ends: list[int]) -> None:
    """Between the frame in flight when it was offered and an alert there are only alerts."""
    starts = dict(zip(frames, [0, *ends], strict=False))
    for committed, alert in world.marks:
        boundary = next(edge for edge in [0, *ends] if edge >= committed)
        at = starts[alert]
        between = [frame for frame, start in starts.items() if boundary <= start < at]
        assert all(frame[2:].startswith(b"alert") for frame in between)


@settings(max_examples=120)
@given(st.booleans(), st.lists(ACTIONS, min_size=25, max_size=60), st.booleans())
def test_the_peer_reads_whole_frames_in_order_and_nothing_is_lost_or_repeated(
    direct: bool, actions: list[tuple[str, object, object]], finish: bool
) -> None:
    trio.run(play, direct, actions, finish)


@pytest.mark.slow
@settings(max_examples=5_000)
@given(st.booleans(), st.lists(ACTIONS, min_size=25, max_size=200), st.booleans())
def test_the_same_for_longer(direct: bool, actions: list[tuple[str, object, object]], finish: bool) -> None:
    trio.run(play, direct, actions, finish)
