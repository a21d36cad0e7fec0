"""Alerts on the wire: their frames, what `ready` and a join's ok list of them, and where receipts go."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Literal, cast

import trio
from attrs import define

from actors.alerts.messages import AlertsMessage, Receipt, Told
from actors.alerts.vocabulary import Alert, AlertId, Life, ReceiptState
from actors.kernel import ActorGone, Ref
from actors.names import MemberId
from actors.people.outlet import Outlet
from actors.refusals import Reason, Refused
from gateway import voice
from gateway.protocol import client, server
from gateway.protocol.codec import encode
from gateway.protocol.kinds import AlertName, Count, RequestId, Seq

LISTED_BYTES = 40 * 1024
"""What a `ready` or an ok lists at most, so that it stays a frame of 64 KiB; the rest comes as frames of its own."""
PATIENCE_SECONDS = 2.0
NOT_NOW = Refused(Reason.UNAVAILABLE, "receipts cannot be taken now; say it again", 2_000)


class WireAlerts:
    """actors.alerts.voice.AlertVoice for protocol v1."""

    def alert(self, alert: Alert) -> bytes:
        return _framed(alert)[0]

    def over(self, alert: Alert) -> bytes:
        why = cast(Literal["cancelled", "expired", "cleared"], alert.state.value)
        return voice.framed(server.AlertOver(AlertName(alert.id), Seq(alert.rev), why))

    def shown(self, alert: Alert) -> bytes:
        return encode(frame_of(alert))


def frame_of(alert: Alert) -> server.AlertFrame:
    draft = alert.draft
    return server.AlertFrame(
        id=AlertName(alert.id),
        rev=Seq(alert.rev),
        kind=alert.kind.value,
        status=draft.status.value,
        severity=draft.severity.value,
        urgency=draft.urgency.value,
        certainty=draft.certainty.value,
        response=draft.response.value,
        info={lang: server.AlertWords(words.headline, words.text) for lang, words in draft.info.items()},
        sent=alert.sent,
        expires=alert.expires,
        ack=draft.ack.value,
        remind_s=draft.remind_s,
        receipt_spread_ms=Count(draft.receipt_spread_ms),
        rooms=draft.rooms,
        zones=draft.zones,
        all=draft.all,
        recorded=alert.recorded,
    )


def _framed(alert: Alert) -> tuple[bytes, server.AlertFrame]:
    return _made(alert.id, alert.rev, alert.recorded, alert.state, _Held(alert))


class _Held:
    """An alert as an argument that does not count for the cache: its name, revision and state say all."""

    __slots__ = ("alert",)

    def __init__(self, alert: Alert) -> None:
        self.alert = alert

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=128)
def _made(_id: AlertId, _rev: int, _recorded: bool, _state: Life, held: _Held) -> tuple[bytes, server.AlertFrame]:
    frame = frame_of(held.alert)
    return voice.framed(frame), frame


def listed(alerts: tuple[Alert, ...]) -> tuple[server.Alerts, Told]:
    """The frames that fit, the newest first to be kept, and which they are."""
    if not alerts:
        return (), ()
    fitting: list[tuple[Alert, server.AlertFrame]] = []
    left = LISTED_BYTES
    for alert in reversed(alerts):
        blob, frame = _framed(alert)
        left -= len(blob)
        if left < 0:
            break
        fitting.insert(0, (alert, frame))
    return tuple(frame for _, frame in fitting), tuple((alert.id, alert.rev) for alert, _ in fitting)


@define(eq=False)
class ReceiptAnswer:
    outlet: Outlet
    id: int

    def answer(self, value: Refused | None) -> None:
        said = server.Ok(RequestId(self.id)) if value is None else voice.error(self.id, value)
        self.outlet.control(voice.framed(said))


def take_receipt(
    ref: Ref[AlertsMessage],
    frame: client.AlertReceipt,
    member: MemberId,
    outlet: Outlet,
    wait_for: Callable[[Callable[[Ref[AlertsMessage], Receipt], Awaitable[None]], Ref[AlertsMessage], Receipt], None],
) -> None:
    """Into the mailbox, or in line for it for a moment: `wait_for` runs that with the wire paused."""
    reply = ReceiptAnswer(outlet, frame.id)
    state = ReceiptState(frame.state)
    receipt = Receipt(reply, member, AlertId(frame.alert), frame.rev, state, frame.note)
    try:
        if not ref.offer(receipt):
            wait_for(_stand_in_line, ref, receipt)
    except ActorGone:
        reply.answer(NOT_NOW)


async def _stand_in_line(ref: Ref[AlertsMessage], receipt: Receipt) -> None:
    try:
        with trio.fail_after(PATIENCE_SECONDS):
            await ref.send(receipt)
    except (trio.TooSlowError, ActorGone):
        receipt.reply.answer(NOT_NOW)
