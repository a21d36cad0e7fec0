"""A connection's way out, over a socket. The hot path of the house: a batch that fits costs one system call.

Nothing here waits, locks or raises into a room. What the socket does not take waits in lanes, within a bound, and one
task writes it while there is any; an idle connection has neither. Only `finish` closes."""

from collections.abc import Callable

import trio

from actors.names import RoomName
from actors.people.outlet import Batch
from gateway.line_speed import LineSpeed
from gateway.wire.contract import Lost
from gateway.wire.framing import close_frame, text_frame
from gateway.wire.lanes import Lanes
from gateway.wire.limits import WireLimits
from gateway.wire.transport import Transport

OVERLOADED = 4100

Bye = Callable[[int, int | None], bytes]
"""(code, retry_after_ms) -> the payload of a `bye` frame."""


class SocketOutlet:
    """Implements actors.people.outlet.Outlet.

    `on_behind(room, first_dropped)`: chat was dropped; called before the offer that was one too many returns.
    `on_dead(cause)`: called once, when nothing will leave any more; the transport is closed by then.
    Both are called from inside any method here, so they must not wait, raise or offer."""

    __slots__ = (
        "_busy",
        "_bye",
        "_closing",
        "_lanes",
        "_limits",
        "_now",
        "_nursery",
        "_on_behind",
        "_on_dead",
        "_progress",
        "_send",
        "_speed",
        "_transport",
        "_waiting",
        "bytes",
        "cause",
        "code",
        "dead",
        "moved_at",
        "progressed_at",
    )

    def __init__(
        self,
        transport: Transport,
        nursery: trio.Nursery,
        *,
        bye: Bye,
        on_behind: Callable[[RoomName, int], None],
        on_dead: Callable[[Lost], None],
        limits: WireLimits,
        now: Callable[[], float] = trio.current_time,
    ) -> None:
        """`nursery` takes the flush task while something waits, and the goodbye."""
        self._transport = transport
        self._send = transport.try_send
        self._nursery = nursery
        self._bye = bye
        self._on_behind = on_behind
        self._on_dead = on_dead
        self._limits = limits
        self._now = now
        self._busy = False
        """Something waits, or the end has begun: the one flag that the hot path looks at."""
        self._lanes: Lanes | None = None
        self._waiting: list[Callable[[], None]] | None = None
        self._closing: Closing | None = None
        self._speed: LineSpeed | None = None
        """Made at the first look, which is when a page had to wait."""
        self._progress = -1
        self.moved_at = now()
        """When bytes were last seen to reach the peer (as of `check_stuck`)."""
        self.progressed_at = self.moved_at
        """When the peer's kernel was last seen to have taken something it was owed."""
        self.bytes = 0
        self.code = 0
        """The close code given to `finish`; 0 = none."""
        self.cause: Lost | None = None
        """Why it ended, or is ending: the first reason."""
        self.dead = False

    # -- offers ------------------------------------------------------------------------------------------------------

    def chat(self, batch: Batch) -> bool:
        if self._busy:
            return self._chat_later(batch)
        blob, send = batch.blob, self._send
        try:
            sent = send(blob)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.abort(Lost.GONE)
            return True
        self.bytes += sent
        if sent < len(blob):
            self._made().chat(batch, sent)
        return True

    def _chat_later(self, batch: Batch) -> bool:
        lanes = self._lanes
        if lanes is None or self._closing is not None:
            return True  # dead or closing: taken, and dropped
        if not lanes.has_room(batch):
            self._fall_behind(lanes, batch)
            return False
        lanes.chat(batch)
        return True

    def _fall_behind(self, lanes: Lanes, batch: Batch) -> None:
        dropped = lanes.drop_chat()
        dropped[batch.room] = min(batch.first, dropped.get(batch.room, batch.first))
        for room, first in dropped.items():
            self._on_behind(room, first)

    def page(self, batch: Batch) -> None:
        if self._speed is not None:
            self.look()
        if not self._busy:
            sent = self._send_now(batch.blob)
            if sent < len(batch.blob) and not self.dead:
                self._made().chat(batch, sent, page=True)
                self.look()
        elif self._lanes is not None and self._closing is None:
            self._lanes.chat(batch, page=True)
            self.look()

    def look(self, waited: bool = False) -> int:
        """`waited`: something has stood in line here since the last look."""
        now, owed = self._now(), self._transport.unsent()
        arrived = self.bytes - (owed or 0)
        if self._speed is None:
            self._speed = LineSpeed(now, arrived)
        else:
            self._speed.look(now, arrived, owed, waited)
        return owed or 0

    def control(self, frame: bytes) -> None:
        lanes = self._write(frame)
        if lanes is not None and not lanes.control(frame):
            self.finish(OVERLOADED)

    def alert(self, frame: bytes, on_written: Callable[[], None] | None = None) -> None:
        lanes = self._write(frame, on_written)
        if lanes is not None and not lanes.alert(frame, on_written):
            self.finish(OVERLOADED)

    def news(self, key: str, frame: bytes) -> None:
        lanes = self._write(frame)
        if lanes is not None:
            lanes.news(key, frame)

    def pong(self, frame: bytes) -> None:
        """For the wire: in the control lane, at most one waits."""
        lanes = self._write(frame)
        if lanes is not None:
            lanes.pong(frame)

    def forget(self, room: RoomName) -> None:
        """The member has left `room`: what waits of it is dropped, and not reported."""
        if self._lanes is not None and self._closing is None:
            self._lanes.forget(room)

    # -- state -------------------------------------------------------------------------------------------------------

    @property
    def waiting_bytes(self) -> int:
        return 0 if self._lanes is None else self._lanes.waiting_bytes

    @property
    def idle(self) -> bool:
        return not self._busy

    def when_idle(self, call: Callable[[], None]) -> None:
        """Calls that wait are made one by one, each only while still idle: so rooms take turns with their pages."""
        if not self._busy:
            call()
        elif not self.dead and self._closing is None:
            self._waiting = [*(self._waiting or ()), call]

    @property
    def bytes_per_s(self) -> float | None:
        return None if self._speed is None else self._speed.bytes_per_s

    @property
    def closing(self) -> bool:
        """`finish` was called, or the peer has closed: nothing is taken any more."""
        return self._closing is not None or self.dead

    def check_stuck(self, now: float) -> None:
        """Called every few seconds: aborts when the peer's kernel has acknowledged nothing for `stuck_s`, although
        something was owed to it. One comparison while nothing was sent."""
        if self.dead or (not self._busy and self.bytes == self._progress):
            self.moved_at = now
            return
        unsent = self._transport.unsent()
        progress = self.bytes - (unsent or 0)
        nothing_owed = not self._busy and not unsent
        if progress > self._progress:
            self.progressed_at = now
        if nothing_owed or progress > self._progress:
            self.moved_at = now
        elif now - self.moved_at >= self._limits.stuck_s:
            self.abort(Lost.STUCK)
        self._progress = progress

    # -- the end -----------------------------------------------------------------------------------------------------

    def finish(self, code: int, retry_after_ms: int | None = None) -> None:
        self._end(code, self._goodbye(code, retry_after_ms), Lost.FINISHED)

    def fail(self, code: int, retry_after_ms: int | None = None) -> None:
        """For the wire: the peer broke RFC 6455, or the limits of its frames."""
        self._end(code, self._goodbye(code, retry_after_ms), Lost.BAD_FRAMES)

    def echo_close(self, frame: bytes) -> None:
        """For the wire: the peer has closed; `frame` answers it (RFC 6455, section 5.5.1)."""
        self._end(0, frame, Lost.CLOSED)
        self.peer_closed()

    def _goodbye(self, code: int, retry_after_ms: int | None) -> bytes:
        return text_frame(self._bye(code, retry_after_ms)) + close_frame(code)

    def _end(self, code: int, goodbye: bytes, cause: Lost) -> None:
        if self.closing:
            return
        self.code, self.cause = code, cause
        self._waiting = None
        lanes = self._write(goodbye)
        if lanes is not None:
            lanes.goodbye(goodbye)
        if not self.dead:
            self._busy = True
            self._closing = Closing()
            self._nursery.start_soon(self._see_out, self._closing)

    async def _see_out(self, closing: "Closing") -> None:
        """The goodbye leaves, the peer answers it, we half-close, the peer goes; each within its time."""
        with trio.move_on_after(self._limits.close_s):
            if self._lanes is not None:
                await closing.written.wait()
            await closing.peer_closed.wait()
        if self._lanes is None:
            self._transport.send_eof()
            with trio.move_on_after(self._limits.linger_s):
                await closing.peer_gone.wait()
        self.abort(Lost.FINISHED)

    def peer_closed(self) -> None:
        """For the wire: the peer's close frame has come."""
        if self._closing is not None:
            self._closing.peer_closed.set()

    def peer_gone(self) -> None:
        """For the wire: no more bytes will come."""
        if self._closing is None:
            self.abort(Lost.GONE)
        else:
            self._closing.peer_closed.set()
            self._closing.peer_gone.set()

    def last_words(self, code: int) -> None:
        """The goodbye as far as the socket takes it this instant, then the end: for when nobody may wait any more.
        Nothing when a goodbye is under way already."""
        if self.closing:
            return
        self.code, self.cause = code, Lost.FINISHED
        lanes, goodbye = self._lanes, self._goodbye(code, None)
        if lanes is None:
            self._send_now(goodbye)
        else:
            lanes.goodbye(goodbye)
            while not self.dead and (view := lanes.next()) is not None:
                sent = self._send_now(view)
                lanes.left(sent)
                if sent < len(view):
                    break
        self.abort(Lost.FINISHED)

    def abort(self, cause: Lost) -> None:
        """Closes the transport now. The first cause stands."""
        if self.dead:
            return
        self.dead = self._busy = True
        self._lanes = self._waiting = None
        self.cause = self.cause or cause
        self._transport.abort(reset=cause is Lost.STUCK)
        if self._closing is not None:
            self._closing.over()
        self._on_dead(self.cause)

    # -- writing -----------------------------------------------------------------------------------------------------

    def _send_now(self, data: bytes | memoryview) -> int:
        """What the socket takes at once; 0 and dead when it is broken."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.abort(Lost.GONE)
            return 0
        self.bytes += sent
        return sent

    def _write(self, frame: bytes, on_written: Callable[[], None] | None = None) -> Lanes | None:
        """The lanes in which `frame` has to wait. None: it has left, or begun to, or nothing is taken any more."""
        if self._busy:
            return self._lanes if self._closing is None else None
        sent = self._send_now(frame)
        if self.dead:
            return None
        if sent == len(frame):
            if on_written is not None:
                on_written()
            return None
        lanes = self._made()
        if not sent:
            return lanes
        lanes.begun(frame, sent, on_written)
        return None

    def _made(self) -> Lanes:
        """New lanes and the task that empties them."""
        self._lanes = Lanes(self._limits)
        self._busy = True
        self._nursery.start_soon(self._flush)
        return self._lanes

    async def _flush(self) -> None:
        transport = self._transport
        try:
            while self._lanes is not None:
                await transport.ready()
                self._push_some()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.abort(Lost.GONE)

    def _push_some(self) -> None:
        lanes, transport = self._lanes, self._transport
        if lanes is None:
            return
        view = lanes.next()
        if view is not None:
            try:
                sent = transport.push(view)
            except BlockingIOError:
                return
            self.bytes += sent
            run = lanes.left(sent)
            if run is not None and run.page:
                self.look(waited=True)
        if lanes.empty and not transport.holds:
            self._emptied()

    def _emptied(self) -> None:
        self._lanes = None
        if self._closing is not None:
            self._closing.written.set()
            return
        self._busy = False
        while self._waiting and not self._busy:
            self._waiting.pop(0)()


class Closing:
    """What the goodbye waits for."""

    __slots__ = ("peer_closed", "peer_gone", "written")

    def __init__(self) -> None:
        self.written = trio.Event()
        self.peer_closed = trio.Event()
        self.peer_gone = trio.Event()

    def over(self) -> None:
        self.written.set()
        self.peer_closed.set()
        self.peer_gone.set()
