"""The checker. All members of a room get the same bytes for what is said in it, so one reference stream per room is
parsed in full by whoever is ahead, and every other member's bytes are compared to it. A difference is walked frame by
frame: frames meant for one member (ok, heartbeat, presence ...) are taken out; anything else makes the run void."""

import json
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from time import monotonic
from typing import Any

from attrs import Factory, define

from bench.ledger import Ledger, RunVoid
from bench.wire import TEXT, next_frame

Json = dict[str, Any]
NOTICE = "alert_notice"
"""An entry of the house's own, after an alert went out in a room: nobody posted it, everybody gets it."""
Personal = Callable[[int, bytes, Json | None], None]
"""Called with (opcode, payload, parsed if text) for each frame that is not the room's."""


def cid_of(entry: Json) -> str:
    return f"{entry.get('alert')}.{entry.get('rev')}" if entry.get("type") == NOTICE else str(entry.get("cid", ""))


@define
class Arrivals:
    """Who got how far, when: one row per piece read from a socket. Kept raw, so that the hot loop only appends."""

    at: "array[float]" = Factory(lambda: array("d"))
    since: "array[int]" = Factory(lambda: array("q"))
    until: "array[int]" = Factory(lambda: array("q"))

    def clear(self) -> None:
        for column in (self.at, self.since, self.until):
            del column[:]


@define(eq=False)
class ReferenceStream:
    """What a room said, as bytes. `ends[i]` is the offset behind frame i; offsets count from the members' joining."""

    room: str
    ledger: Ledger
    raw: bytearray = Factory(bytearray)
    ends: list[int] = Factory(list)
    cids: list[str] = Factory(list)
    timed_from: list[float] = Factory(list)
    next_seq: int = 0
    """The seq that the next entry must have; 0 until somebody's join told the head."""
    epoch: str = ""
    members_at: dict[int, int] = Factory(dict)
    """Offset -> how many members stand there; the smallest key is what everybody has."""
    low: int = 0
    complete: int = 0
    """How many posts every member has received in whole."""
    settled: int = 0
    arrivals: Arrivals = Factory(Arrivals)

    def joined(self, epoch: str, head: int) -> None:
        """A member was told where the log stands. All of them must join before the first post."""
        if not self.next_seq:
            self.epoch, self.next_seq = epoch, head + 1
        elif (epoch, head + 1) != (self.epoch, self.next_seq):
            raise RunVoid(f"{self.room} moved while its members were joining: somebody else is posting there")

    def arrive(self, offset: int) -> None:
        """One more member, who stands there."""
        self.members_at[offset] = self.members_at.get(offset, 0) + 1
        self.recount()

    def recount(self) -> None:
        """Somebody came, or the last member has left `low`: what lies below the new one is complete, at everybody."""
        before = self.complete
        self.low = min(self.members_at)
        self.complete = bisect_right(self.ends, self.low)
        self.ledger.completed += self.complete - before

    @property
    def members(self) -> int:
        return sum(self.members_at.values())

    def settle(self) -> int:
        """Everybody must have everything: check what came since the last time against its acknowledgements. Returns
        how many frames that were. Raises RunVoid."""
        if self.complete != len(self.ends) or self.low != len(self.raw):
            missing = self.members - self.members_at.get(len(self.raw), 0)
            raise RunVoid(f"{self.room}: {missing} of {self.members} members did not get all {len(self.ends)} messages")
        first_seq, since = self.next_seq - len(self.ends), self.settled
        for i in range(since, len(self.ends)):
            post = self.ledger.posts.pop(self.cids[i])
            if post.seq != first_seq + i:
                raise RunVoid(f"{self.room}: delivered as seq {first_seq + i}, acknowledged as {post.seq or 'nothing'}")
        self.settled = len(self.ends)
        return self.settled - since

    def frame_start(self, offset: int) -> int:
        """Where the frame that `offset` points into begins; `offset` itself if it is a boundary."""
        i = bisect_left(self.ends, offset)
        if i < len(self.ends) and self.ends[i] == offset:
            return offset
        return self.ends[i - 1] if i else 0

    def extend(self, frame: bytes, entry: Json) -> None:
        """The next frame of the room, from whichever member is ahead. Raises RunVoid unless it is the right one."""
        self._judge(entry, self.next_seq)
        self.raw += frame
        self.ends.append(len(self.raw))
        cid = cid_of(entry)
        self.cids.append(cid)
        self.timed_from.append(self.ledger.posts[cid].timed_from)
        self.next_seq += 1

    def differs(self, frame: bytes, entry: Json, offset: int) -> int:
        """A member at `offset` got this frame instead of the reference's. The offset behind it if the content is the
        same after all (replayed frames may be written otherwise), else RunVoid with what went wrong."""
        i = bisect_right(self.ends, offset)
        wanted = self.next_seq - len(self.ends) + i
        self._judge(entry, wanted)
        start = self.ends[i - 1] if i else 0
        reference = next_frame(self.raw, start)
        if reference is None or json.loads(self.raw[reference.start : reference.end]) != entry:
            raise RunVoid(f"{self.room} seq {wanted}: two members were told different things")
        return reference.end

    def _judge(self, entry: Json, wanted: int) -> None:
        seq, cid = entry.get("seq"), cid_of(entry)
        if entry.get("room") != self.room:
            raise RunVoid(f"a message of {entry.get('room')!r} came to a member of {self.room}")
        if seq != wanted or entry.get("epoch") != self.epoch:
            kind = "lost" if isinstance(seq, int) and seq > wanted else "repeated or out of order"
            raise RunVoid(f"{self.room}: seq {seq} came where {wanted} was due ({kind})")
        post = self.ledger.posts.get(cid)
        if post is None:
            raise RunVoid(f"{self.room} seq {seq}: a message that nobody here posted (cid {cid!r})")
        if post.room != self.room:
            raise RunVoid(f"{self.room} seq {seq}: the message was posted in {post.room}")
        if entry.get("text") != post.text:
            raise RunVoid(f"{self.room} seq {seq}: the text is not what was posted")
        if post.seq and post.seq != seq:
            raise RunVoid(f"{self.room}: post {cid} was acknowledged as seq {post.seq} and delivered as {seq}")


@define(eq=False)
class Follower:
    """One member's place in the stream of its room. `pos` is how far its bytes agree with the reference; `pending` the
    beginning of a frame that is not there in whole yet (only ever at a frame boundary)."""

    name: str
    reference: ReferenceStream
    personal: Personal
    timed: bool = True
    """Whether its deliveries count for latency (a poster hears itself sooner than others do)."""
    pos: int = 0
    pending: bytes = b""

    def __attrs_post_init__(self) -> None:
        self.reference.arrive(self.pos)

    def take(self, data: bytes, now: float) -> None:
        """Bytes off the socket. The common case is one memcmp and a few additions."""
        pos = self.pos
        if not self.pending and self.reference.raw.startswith(data, pos):
            self._stand(pos + len(data), now)
        else:
            self._walk(self.pending + data if self.pending else data, now)

    def _stand(self, pos: int, now: float) -> None:
        before, reference = self.pos, self.reference
        self.pos = pos
        stands = reference.members_at
        stands[pos] = stands.get(pos, 0) + 1
        left = stands[before] - 1
        if left:
            stands[before] = left
        else:
            del stands[before]
            if before == reference.low:
                reference.recount()
        if self.timed and pos > before:
            arrivals = reference.arrivals
            arrivals.at.append(now)
            arrivals.since.append(before)
            arrivals.until.append(pos)

    def _walk(self, data: bytes, now: float) -> None:
        reference = self.reference
        pos = reference.frame_start(self.pos)
        if pos != self.pos:  # the agreement may have been the first bytes of another frame: begin at its beginning
            data = bytes(reference.raw[pos : self.pos]) + data
        at, size = 0, len(data)
        while at < size:
            ahead = len(reference.raw) - pos
            run = min(ahead, size - at)
            if run and reference.raw.startswith(data[at : at + run], pos):
                at, pos = at + run, pos + run
                if at < size:
                    continue  # at the reference's end, a boundary: this member leads from here
                break
            frame = next_frame(data, at)
            if frame is None:
                break
            pos = self._frame(data[at : frame.end], frame.opcode, data[frame.start : frame.end], pos)
            at = frame.end
        self.pending = data[at:]
        self._stand(pos, now)

    def _frame(self, frame: bytes, opcode: int, payload: bytes, pos: int) -> int:
        if self.reference.raw.startswith(frame, pos):
            return pos + len(frame)
        entry: Json | None = None
        if opcode == TEXT:
            try:
                entry = json.loads(payload)
            except ValueError as error:
                raise RunVoid(f"{self.name}: a frame that is not JSON ({error})") from error
            if not isinstance(entry, dict):
                raise RunVoid(f"{self.name}: a frame that is not an object")
        if entry is not None and entry.get("type") == NOTICE:
            ledger, room = self.reference.ledger, self.reference.room
            ledger.notice(room, cid_of(entry), entry["text"], monotonic(), entry["seq"])
        elif entry is None or entry.get("type") != "message":
            self.personal(opcode, payload, entry)
            return pos
        try:
            if pos < len(self.reference.raw):
                return self.reference.differs(frame, entry, pos)
            self.reference.extend(frame, entry)
        except RunVoid as error:
            raise RunVoid(f"{self.name}: {error}") from None
        return len(self.reference.raw)
