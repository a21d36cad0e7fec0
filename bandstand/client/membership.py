"""One room as this client knows it: how far it has read, and what the rules are. Pure: frames in, events out.

Every entry comes out once and in order: what was seen is dropped, what is missing is named by a Gap."""

from collections.abc import Mapping

from attrs import define, evolve, field

from actors.names import Epoch, RoomName
from bandstand.client.errors import Refused
from bandstand.client.events import (
    AlertNotice,
    Behind,
    Card,
    CaughtUp,
    Cleared,
    Deleted,
    Edited,
    Gap,
    Hidden,
    LogEntry,
    Message,
    Moved,
    Notice,
    OtherEntry,
    Pinned,
    Policy,
    PolicyChanged,
    Position,
    Presence,
    Reactions,
    Removed,
    Restored,
    RoomEvent,
    RulesNow,
    Typing,
    Uncleared,
)
from gateway.protocol import client, orders, server
from gateway.protocol.kinds import RequestId, Seq, Tail

EntryFrame = server.EntryFrame
News = server.Reactions | server.Presence | server.TypingFrame | server.RulesFrame
"""What is told of a room besides its log: dropped first."""
Mark = server.CaughtUp | server.Behind | server.Gap
REPLAY = 1_000
"""The most entries that a resume replays; before them comes a gap."""


@define(eq=False)
class Membership:
    asked: str
    """The room's name or code, as the program gave it."""
    tail: int
    presence: bool
    listens: bool
    since: Position | None
    """Everything up to here has come out; None before the first entry."""
    name: str = ""
    """As the server calls it; empty before the first ok."""
    joined: bool = False
    asking: bool = False
    retry_at: float = 0.0
    left: bool = False
    twin: "Membership | None" = None
    """The room turned out to be one that we are in already, asked for by another name at the same moment."""
    refused: Refused | None = None
    """Why we are not in it any more, where the server did not let us back in."""
    nickname: str = ""
    code: str = ""
    title: str = ""
    policy: Policy = field(factory=Policy)
    online: int = 0
    pinned: int | None = None
    head: int = 0
    epoch: str = ""
    """As the last ok said it."""
    _anew: bool = False
    """A gap said that the room began anew: the next entry's epoch is the room's."""

    @property
    def wants_in(self) -> bool:
        return not (self.joined or self.asking or self.left)

    def question(self, number: RequestId) -> client.Join:
        since = None
        if self.since is not None:
            since = client.Since(Epoch(self.since.epoch), Seq(self.since.seq))
        room = RoomName(self.name or self.asked)
        return client.Join(number, room, since, Tail(self.tail), Seq(REPLAY), self.presence)

    def welcomed(self, ok: server.OkJoin) -> None:
        """The positions that follow are of `ok.epoch`."""
        self.name, self.joined, self.asking = ok.room, True, False
        self.nickname, self.code, self.title = ok.nickname, ok.code, ok.title
        self.policy, self.online, self.head = policy_of(ok.policy), ok.counts.online, ok.head
        self.pinned = ok.pinned
        self.epoch = ok.epoch
        self._anew = False
        if ok.mode == "fresh":
            self.since = None
        elif self.since is None or self.since.epoch != ok.epoch:
            self.since = Position(ok.epoch, 0)

    def entry(self, entry: LogEntry) -> list[RoomEvent]:
        told: list[RoomEvent] = []
        last = self._last(entry)
        if last is not None:
            if entry.seq <= last or (self.since is not None and entry.epoch < self.since.epoch and not self._anew):
                return []
            if entry.seq > last + 1:
                began_anew = self.since is not None and entry.epoch != self.since.epoch
                told.append(Gap(self.name, last + 1, entry.seq - 1, "epoch" if began_anew else "hole"))
        self.since, self._anew = Position(entry.epoch, entry.seq), False
        self.head = max(self.head, entry.seq)
        if isinstance(entry, PolicyChanged):
            self.policy = evolve(entry.policy, lockdown=self.policy.lockdown)  # which is the house's
        if isinstance(entry, Pinned):
            self.pinned = entry.target
        told.append(entry)
        return told

    def _last(self, entry: LogEntry) -> int | None:
        """The last seq known of this entry's epoch; None when any may come first."""
        if self.since is None:
            return None
        return self.since.seq if self._anew or entry.epoch == self.since.epoch else 0

    def mark(self, frame: Mark) -> list[RoomEvent]:
        match frame:
            case server.Gap():
                return self._gap(frame)
            case server.CaughtUp():
                return self._caught_up(frame)
            case server.Behind(room=room, start=start):
                return [Behind(room, start)]

    def _gap(self, frame: server.Gap) -> list[RoomEvent]:
        if frame.why == "epoch":
            self._anew = True
            self.since = Position(self.since.epoch if self.since else self.epoch, frame.end)
        elif self.since is not None:
            if frame.end <= self.since.seq:
                return []
            self.since = Position(self.since.epoch, frame.end)
        return [Gap(frame.room, frame.start, frame.end, frame.why)]

    def _caught_up(self, frame: server.CaughtUp) -> list[RoomEvent]:
        told: list[RoomEvent] = []
        if self.since is None:
            self.since = Position(self.epoch, frame.seq)
        elif frame.seq > self.since.seq:
            told.append(Gap(frame.room, self.since.seq + 1, frame.seq, "hole"))
            self.since = Position(self.since.epoch, frame.seq)
        told.append(CaughtUp(frame.room, frame.seq))
        return told

    def news(self, frame: News) -> list[RoomEvent]:
        match frame:
            case server.Reactions(room=room, counts=counts):
                return [Reactions(room, int(seq), by_emoji) for seq, by_emoji in counts.items() if seq.isdecimal()]
            case server.RulesFrame(room=room):
                self.policy = policy_of(frame)
                return [RulesNow(room, self.policy)]
            case server.Presence():
                self.online = frame.online
                return [Presence(frame.room, frame.online, tuple(map(card_of, frame.joins)), tuple(frame.leaves))]
            case server.TypingFrame(room=room, member=member, nickname=nickname):
                return [Typing(room, member, nickname)]


def card_of(card: server.Card) -> Card:
    return Card(card.member, card.nickname)


def policy_of(rules: server.Rules | server.RulesFrame | server.PolicyFrame) -> Policy:
    level = server.LOCKDOWN if isinstance(rules, server.PolicyFrame) else rules.lockdown
    return Policy(
        rules.rev, rules.frozen, rules.slow_s, rules.expires, rules.reason, rules.closed, level, rules.official
    )


def entry_of(frame: EntryFrame, reactions: Mapping[str, int] | None = None) -> LogEntry:
    member = "house" if isinstance(frame, server.PolicyFrame) else frame.member
    at = (frame.room, frame.epoch, frame.seq, frame.ts, member)
    match frame:
        case server.MessageFrame(deleted=True) | server.MessageFrame(hidden=True):
            return Removed(*at, frame.hidden)
        case server.MessageFrame():
            return Message(
                *at,
                frame.nickname or "",
                frame.text,
                frame.cid or "",
                frame.reply_to,
                frame.edited or 0,
                reactions or {},
                frame.badge,
            )
        case server.EditedFrame():
            return Edited(*at, frame.target, frame.text, frame.deleted, frame.hidden)
        case server.DeletedFrame():
            return Deleted(*at, frame.target)
        case server.PolicyFrame():
            return PolicyChanged(*at, policy_of(frame))
        case _:
            return _order_of(frame, at)


def _order_of(frame: orders.OrderFrame, at: tuple[str, str, int, float, str]) -> LogEntry:
    match frame:
        case orders.HiddenFrame():
            return Hidden(*at, frame.target, frame.reason)
        case orders.RestoredFrame():
            return Restored(*at, frame.target)
        case orders.PinnedFrame():
            return Pinned(*at, frame.target)
        case orders.ClearedFrame():
            return Cleared(*at, frame.upto, frame.erased)
        case orders.UnclearedFrame():
            return Uncleared(*at, frame.upto)
        case orders.AlertNoticeFrame():
            return AlertNotice(*at, frame.alert, frame.rev, frame.headline, frame.text, frame.status)
        case orders.MovedFrame():
            return Moved(*at, frame.to, frame.reason)
        case orders.NoticeFrame():
            return Notice(*at, frame.text, frame.badge)


def unknown_entry(kind: str, fields: Mapping[str, object]) -> OtherEntry | None:
    """A frame of a newer type is an entry of a log if it has a room, an epoch and a seq: then it counts."""
    match fields:
        case {"room": str(room), "epoch": str(epoch), "seq": int(seq), **rest} if "re" not in rest:
            ts, member = rest.get("ts"), rest.get("member")
            return OtherEntry(
                room, epoch, seq, float(ts) if isinstance(ts, int | float) else 0.0,
                member if isinstance(member, str) else "house", kind, dict(fields),
            )  # fmt: skip
        case _:
            return None
