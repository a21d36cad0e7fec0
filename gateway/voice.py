"""How the house's facts and replies look on the wire. Whole WebSocket frames come out, encoded and framed once."""

from collections.abc import Mapping, Sequence
from typing import Literal, assert_never, cast

from attrs import asdict

from actors.events import (
    AlertNotice,
    Cleared,
    Deleted,
    Edited,
    Entry,
    Erased,
    Hidden,
    Message,
    Moderation,
    Moved,
    Notice,
    Pinned,
    Policy,
    PolicyChanged,
    Restored,
    Tombstone,
    Uncleared,
)
from actors.journal.log import Page, Stored
from actors.names import MemberId, Nickname, RoomName
from actors.refusals import Refused
from actors.room.messages import Done, Joined, MemberCard, MembersPage
from actors.room.presence import Counted, Diff
from gateway.protocol import orders, server
from gateway.protocol.codec import encode
from gateway.protocol.codes import CloseCode
from gateway.protocol.frames import EntryFrame, OkFrame, ServerFrame
from gateway.protocol.kinds import Count, RequestId, Seq
from gateway.protocol.replies import error
from gateway.wire.framing import text_frame

Answer = Joined | Stored | MembersPage | Done
"""What a room answers, apart from a Page, which does not know its room."""


__all__ = ["WireVoice", "answer", "answer_history", "bye", "entry_frame", "error", "framed", "ok", "ok_history"]

CLOSE_CODES = frozenset(CloseCode)


def framed(frame: ServerFrame) -> bytes:
    return text_frame(encode(frame))


class WireVoice:
    """actors.room.voice.Voice for protocol v1. Holds nothing; one is enough."""

    def entry(self, room: RoomName, entry: Entry) -> bytes:
        return framed(entry_frame(room, entry))

    def caught_up(self, room: RoomName, seq: int) -> bytes:
        return framed(server.CaughtUp(room, Seq(seq)))

    def behind(self, room: RoomName, start: int) -> bytes:
        return framed(server.Behind(room, Seq(start)))

    def gap(self, room: RoomName, start: int, end: int, why: str) -> bytes:
        said = cast(Literal["trimmed", "epoch", "too_many"], why)
        return framed(server.Gap(room, Seq(start), Seq(end), said))

    def reactions(self, room: RoomName, counts: Mapping[int, Mapping[str, int]]) -> bytes:
        return framed(server.Reactions(room, _reactions(counts)))

    def rules(self, room: RoomName, policy: Policy) -> bytes:
        return framed(server.RulesFrame(room, **asdict(_rules(policy))))

    def removed(self, room: RoomName, reason: str, until: float | None, to: RoomName | None) -> bytes:
        return framed(orders.RemovedFrame(room, reason, until, to))

    def presence_diff(self, room: RoomName, diff: Diff) -> bytes:
        rev, online, joins = Count(diff.rev), Count(diff.online), _cards(diff.joins)
        return framed(server.Presence(room, "diff", diff.instance, rev, online, joins, diff.leaves))

    def presence_counts(self, room: RoomName, counted: Counted) -> bytes:
        return framed(server.Presence(room, "counts", counted.instance, Count(counted.rev), Count(counted.online)))

    def typing(self, room: RoomName, member: MemberId, nickname: Nickname) -> bytes:
        return framed(server.TypingFrame(room, member, nickname))


def entry_frame(room: RoomName, entry: Entry) -> EntryFrame:
    """One entry, as it is pushed and as `history` lists it."""
    epoch, seq, ts, author = entry.epoch, Seq(entry.seq), entry.ts, entry.author
    match entry.body:
        case Message(nickname, text, reply_to, edited, badge):
            answered = None if reply_to is None else Seq(reply_to)
            newest = Seq(edited) if edited else None
            return server.MessageFrame(
                room, epoch, seq, ts, author, nickname, entry.cid,
                text=text, reply_to=answered, edited=newest, badge=badge,
            )  # fmt: skip
        case Tombstone(int() as target, hidden):
            return server.EditedFrame(room, epoch, seq, ts, author, Seq(target), "", not hidden, hidden)
        case Tombstone(_, hidden):
            return server.MessageFrame(room, epoch, seq, ts, author, text="", deleted=not hidden, hidden=hidden)
        case Edited(target, text):
            return server.EditedFrame(room, epoch, seq, ts, author, Seq(target), text)
        case Deleted(target):
            return server.DeletedFrame(room, epoch, seq, ts, author, Seq(target))
        case PolicyChanged(policy):
            rules = asdict(_rules(policy))
            del rules["lockdown"]
            return server.PolicyFrame(room, epoch, seq, ts, **rules)
        case _:
            return _order_frame(room, entry, entry.body)
    assert_never(entry.body)


def _order_frame(room: RoomName, entry: Entry, body: Moderation) -> orders.OrderFrame:
    at = (room, entry.epoch, Seq(entry.seq), entry.ts, entry.author)
    match body:
        case Hidden(target, reason):
            return orders.HiddenFrame(*at, Seq(target), reason)
        case Restored(target):
            return orders.RestoredFrame(*at, Seq(target))
        case Pinned(target):
            return orders.PinnedFrame(*at, None if target is None else Seq(target))
        case Cleared(upto):
            return orders.ClearedFrame(*at, Seq(upto))
        case Erased(upto):
            return orders.ClearedFrame(*at, Seq(upto), erased=True)
        case Uncleared(upto):
            return orders.UnclearedFrame(*at, Seq(upto))
        case AlertNotice(alert, rev, headline, text, status):
            said = cast(Literal["actual", "exercise", "test"], status)
            return orders.AlertNoticeFrame(*at, alert, Count(rev), headline, text, said)
        case Moved(to, reason):
            return orders.MovedFrame(*at, to, reason)
        case Notice(text, badge):
            return orders.NoticeFrame(*at, text, badge)
    assert_never(body)


def ok(re: int, answer: Answer, alerts: server.Alerts = ()) -> OkFrame:
    """The answer to request `re`. `alerts`: what a join lists."""
    id = RequestId(re)
    match answer:
        case Joined():
            return _joined(id, answer, alerts)
        case Stored(epoch, seq, ts, dup):
            return server.OkSend(id, epoch, Seq(seq), ts, dup)
        case MembersPage(members, page, pages, online):
            return server.OkMembers(id, _cards(members), Seq(page), Count(pages), Count(online))
        case Done():
            return server.Ok(id)
    assert_never(answer)


def ok_history(re: int, room: RoomName, page: Page) -> OkFrame:
    items = tuple(entry_frame(room, entry) for entry in page.entries)
    ends = Seq(page.oldest), Seq(page.head)
    return server.OkHistory(RequestId(re), room, page.epoch, items, page.more, *ends, _reactions(page.reactions))


def answer(re: int, value: Answer | Refused, alerts: server.Alerts = ()) -> bytes:
    """Ready for the control lane."""
    return framed(error(re, value) if isinstance(value, Refused) else ok(re, value, alerts))


def answer_history(re: int, room: RoomName, value: Page | Refused) -> bytes:
    return framed(error(re, value) if isinstance(value, Refused) else ok_history(re, room, value))


def bye(code: int, retry_after_ms: int | None = None) -> bytes:
    """The payload of a `bye`, not framed yet: the outlet writes it and the close frame as one."""
    after = None if retry_after_ms is None else Count(retry_after_ms)
    return encode(server.Bye(Count(code), after, CloseCode(code).text if code in CLOSE_CODES else None))


def _joined(re: RequestId, here: Joined, alerts: server.Alerts) -> server.OkJoin:
    return server.OkJoin(
        re=re,
        room=here.room,
        epoch=here.epoch,
        head=Seq(here.head),
        oldest=Seq(here.oldest),
        mode=cast(Literal["fresh", "resumed", "gap"], here.mode),
        policy=_rules(here.policy),
        counts=server.Counts(Count(here.counts.online)),
        nickname=here.nickname,
        code=here.code,
        title=here.title,
        alerts=alerts,
        pinned=None if here.pinned is None else Seq(here.pinned),
    )


def _rules(policy: Policy) -> server.Rules:
    return server.Rules(
        rev=Seq(policy.rev),
        frozen=policy.frozen,
        slow_s=policy.slow_s,
        max_members=Count(policy.max_members),
        history=Count(policy.history),
        presence=cast(Literal["auto", "off"], policy.presence),
        expires=policy.expires,
        reason=policy.reason,
        closed=policy.closed,
        lockdown=Count(policy.lockdown),
        official=policy.official,
    )


def _cards(members: Sequence[MemberCard]) -> tuple[server.Card, ...]:
    return tuple(server.Card(each.member, each.nickname) for each in members)


def _reactions(counts: Mapping[int, Mapping[str, int]]) -> server.ReactionCounts:
    return {str(seq): dict(emoji) for seq, emoji in counts.items()}
