"""What was posted, by cid: the other side of the books against which every delivery is checked."""

from attrs import Factory, define


class RunVoid(Exception):
    """A delivery was lost, repeated, reordered, invented or changed: no figure of this run means anything."""


@define
class Post:
    """`timed_from` is when the latency clock started: the schedule's instant in an open loop, else the send."""

    room: str
    text: str
    timed_from: float
    seq: int = 0
    """From its `ok`; 0 until then."""


@define
class Ledger:
    """`posts` holds what is not settled yet; the counters are totals. `completed`: every member of its room has it."""

    posts: dict[str, Post] = Factory(dict)
    posted: int = 0
    acknowledged: int = 0
    completed: int = 0
    refused: int = 0
    refusals: dict[str, int] = Factory(dict)

    def post(self, room: str, cid: str, text: str, timed_from: float) -> None:
        self.posts[cid] = Post(room, text, timed_from)
        self.posted += 1

    def ok(self, cid: str, seq: int) -> None:
        self.posts[cid].seq = seq
        self.acknowledged += 1

    def notice(self, room: str, cid: str, text: str, now: float, seq: int) -> None:
        """The house has written something; whoever sees it first says so."""
        if cid not in self.posts:
            self.post(room, cid, text, now)
            self.ok(cid, seq)

    def refuse(self, cid: str, code: str) -> None:
        """The server said no: the post is forgotten, so that a delivery of it would be found out."""
        del self.posts[cid]
        self.refused += 1
        self.refusals[code] = self.refusals.get(code, 0) + 1

    @property
    def in_flight(self) -> int:
        """Posts not yet answered, or not yet with every member."""
        return self.posted - self.refused - min(self.acknowledged, self.completed)
