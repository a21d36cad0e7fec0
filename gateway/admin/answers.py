"""How orders and their answers look on the wire of the admin channel. Whole WebSocket frames come out."""

from typing import TYPE_CHECKING

from attrs import field, frozen

from actors.admin.catalogue import table
from actors.admin.orders import Answer, Denied, Outcome, Pending
from actors.admin.parsing import describe
from actors.admin.roles import Role
from gateway.admin.session import error
from gateway.protocol import admin
from gateway.protocol.admin_codec import encode_admin
from gateway.protocol.codec import SERVER_FRAME_BYTES
from gateway.protocol.kinds import Count, RequestId
from gateway.wire.framing import text_frame

if TYPE_CHECKING:
    from gateway.admin.connection import AdminConnection

TOO_LONG = Denied("too_big", "the answer is longer than a frame: ask for less of it (limit, or a narrower question)")


def framed(frame: admin.AdminServerFrame) -> bytes:
    return text_frame(encode_admin(frame))


def answered(re: int, value: Answer) -> bytes:
    """Ready for the control lane; never longer than a frame may be."""
    match value:
        case Denied():
            return framed(error(re, value))
        case Pending(id, expires, detail):
            frame: admin.AdminServerFrame = admin.OkPending(RequestId(re), id, expires, dict(detail))
        case Outcome():
            frame = admin.OkCommand(
                re=RequestId(re),
                act=value.act,
                rev=Count(value.rev),
                affected=Count(value.affected),
                undo=value.undo.value,
                undo_until=value.undo_until,
                dry_run=value.dry_run,
                detail=dict(value.detail),
            )
    payload = encode_admin(frame)
    return text_frame(payload) if len(payload) <= SERVER_FRAME_BYTES else framed(error(re, TOO_LONG))


@frozen
class OrderReply:
    """Where the answer to an order goes. Never blocks, never raises."""

    connection: "AdminConnection" = field(eq=False)
    re: int
    name: str

    def answer(self, value: Answer) -> None:
        self.connection.answer(self.re, self.name, value)
        self.connection.under_way -= 1


def result_of(value: Answer) -> str:
    """In one word, for the metrics."""
    if isinstance(value, Denied):
        return value.code
    return "pending" if isinstance(value, Pending) else "dry_run" if value.dry_run else "ok"


def catalogue(role: Role, second: frozenset[str]) -> tuple[admin.CommandCard, ...]:
    """What somebody of this role may give. `second`: commands for which a second person is demanded."""
    return tuple(
        admin.CommandCard(
            name=spec.name,
            role=spec.role.word,
            undo=spec.undo.value,
            second=spec.may_wait(second),
            reads=spec.reads,
            confirm=spec.confirm is not None,
            timed=spec.timed,
            summary=spec.summary,
            args=describe(spec.args),
        )
        for spec in table().values()
        if spec.role <= role
    )
