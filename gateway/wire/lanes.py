"""What waits to leave one connection, in the order of its worth: alerts, control, chat, news.

Pure; made only when the socket did not take everything at once. The law of it: what has begun to leave is finished to
the end of its frame before anything else begins, and between two frames the most urgent lane goes next. So an alert
goes in after the frame in flight even in the middle of a 64 KiB blob of chat."""

from collections import deque
from collections.abc import Callable

from actors.names import RoomName
from actors.people.outlet import Batch
from gateway.wire.framing import frame_end
from gateway.wire.limits import WireLimits

LAST_ANSWERS_BYTES = 16 * 1024
"""What a transport takes at once: less than this delays a goodbye by nothing worth measuring."""


class Run:
    """What is left of one batch: `blob[at:]`."""

    __slots__ = ("at", "batch", "edge", "page", "passed")

    def __init__(self, batch: Batch, at: int, page: bool) -> None:
        self.batch = batch
        self.page = page
        self.at = at
        """The first byte that has not left."""
        self.edge = 0
        """A frame's boundary, at or behind `at` as far as anybody has looked."""
        self.passed = 0
        """Frames before `edge`."""

    def next_edge(self) -> int:
        """The first boundary at or after `at`: the end of the frame in flight, or `at` itself when none is."""
        blob = self.batch.blob
        while self.edge < self.at:
            self.edge = frame_end(blob, self.edge)
            self.passed += 1
        return self.edge

    def first_left(self) -> int:
        """The lowest seq that has not left, counted when `at` stands on `edge`. A batch's frames are its entries in
        order, then what a page says at its end (caught_up): when only that is left, the seq after the last."""
        return min(self.batch.first + self.passed, self.batch.last + 1)


class Lanes:
    __slots__ = (
        "_alerts",
        "_chat",
        "_chat_bytes",
        "_chat_frames",
        "_control",
        "_control_bytes",
        "_flight",
        "_flight_written",
        "_goodbye",
        "_limits",
        "_news",
        "_pong",
        "_run",
    )

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._flight: memoryview | None = None
        """What leaves next, and is not to be interrupted but at a frame's boundary."""
        self._flight_written: Callable[[], None] | None = None
        """Who wants to know when the flight, an alert, has left."""
        self._run: Run | None = None
        """The run that the flight is the rest of; None: the flight is one frame, or the rest of one."""
        self._alerts: deque[tuple[bytes, Callable[[], None] | None]] = deque()
        self._control: deque[bytes] = deque()
        self._control_bytes = 0
        self._pong: bytes | None = None
        self._chat: deque[Run] = deque()
        self._chat_bytes = 0
        self._chat_frames = 0
        self._news: dict[str, bytes] = {}
        self._goodbye: bytes | None = None

    # -- coming in ---------------------------------------------------------------------------------------------------

    def begun(self, data: bytes, sent: int, on_written: Callable[[], None] | None = None) -> None:
        """Onto empty lanes: the rest of a frame of which `sent` bytes have left already."""
        self._flight = memoryview(data)[sent:]
        self._flight_written = on_written

    def chat(self, batch: Batch, sent: int = 0, page: bool = False) -> None:
        """`sent` > 0 only onto empty lanes: so many bytes of it have left already."""
        run = Run(batch, sent, page)
        self._chat_bytes += len(batch.blob) - sent
        self._chat_frames += batch.frames
        if sent:
            self._run, self._flight = run, memoryview(batch.blob)[sent:]
        else:
            self._chat.append(run)

    def has_room(self, batch: Batch) -> bool:
        """False: with this batch more chat would wait than may. (A batch whose head has left is counted whole.)"""
        limits = self._limits
        return not self._chat or (
            self._chat_bytes + len(batch.blob) <= limits.chat_bytes
            and self._chat_frames + batch.frames <= limits.chat_frames
        )

    def control(self, frame: bytes) -> bool:
        """False: not taken, the lane is full."""
        size = self._control_bytes + len(frame)
        if len(self._control) >= self._limits.control_frames or size > self._limits.control_bytes:
            return False
        self._interrupt()
        self._control.append(frame)
        self._control_bytes = size
        return True

    def pong(self, frame: bytes) -> None:
        """At most one waits, the latest (RFC 6455, section 5.5.3)."""
        self._interrupt()
        self._pong = frame

    def alert(self, frame: bytes, on_written: Callable[[], None] | None = None) -> bool:
        """False: not taken, the lane is full. `on_written`: called when its last byte has left."""
        if len(self._alerts) >= self._limits.alert_frames:
            return False
        self._interrupt()
        self._alerts.append((frame, on_written))
        return True

    def news(self, key: str, frame: bytes) -> None:
        if key not in self._news and len(self._news) >= self._limits.news_keys:
            del self._news[next(iter(self._news))]
        self._news[key] = frame

    # -- going out ---------------------------------------------------------------------------------------------------

    def next(self) -> memoryview | None:
        """What to send now; None: the lanes are empty. Say how much of it left with `left`."""
        if self._flight is None:
            frame = self._next_frame()
            if frame is not None:
                self._flight = memoryview(frame)
            elif self._chat and self._goodbye is None:
                self._run = self._chat.popleft()
                self._flight = memoryview(self._run.batch.blob)[self._run.at :]
            else:
                last = self._next_last()
                self._flight = None if last is None else memoryview(last)
        return self._flight

    def _next_frame(self) -> bytes | None:
        """Of what goes before chat."""
        if self._alerts:
            frame, self._flight_written = self._alerts.popleft()
            return frame
        if self._control:
            frame = self._control.popleft()
            self._control_bytes -= len(frame)
            return frame
        frame, self._pong = self._pong or b"", None
        return frame or None

    def _next_last(self) -> bytes | None:
        if self._goodbye is not None:
            goodbye, self._goodbye = self._goodbye, None
            return goodbye
        return self._news.pop(next(iter(self._news))) if self._news else None

    def left(self, sent: int) -> Run | None:
        """`sent` bytes of `next()` are on their way for good. Returns the run that is complete with them."""
        assert self._flight is not None
        run = self._run
        if run is not None:
            run.at += sent
            self._chat_bytes -= sent
        if sent < len(self._flight):
            self._flight = self._flight[sent:]
            return None
        self._flight = self._run = None
        written, self._flight_written = self._flight_written, None
        if written is not None:
            written()
        if run is not None:
            self._chat_frames -= run.batch.frames
        return run

    @property
    def waiting_bytes(self) -> int:
        """Of chat, control and own answers, which are nearly all there is."""
        return self._chat_bytes + self._control_bytes

    @property
    def empty(self) -> bool:
        return not (
            self._flight is not None
            or self._alerts
            or self._control
            or self._pong
            or self._chat
            or self._news
            or self._goodbye
        )

    # -- cutting -----------------------------------------------------------------------------------------------------

    def _interrupt(self) -> None:
        """What is in flight ends with the frame in flight; the rest of its run goes back to the head of its lane."""
        run = self._run
        if run is None:
            return
        edge, size = run.next_edge(), len(run.batch.blob)
        if edge == size:
            return  # its last frame: it ends where we want it to
        self._run = None
        self._flight = memoryview(run.batch.blob)[run.at : edge] if edge > run.at else None
        self._chat_bytes -= edge - run.at
        run.at = edge
        self._chat.appendleft(run)

    def drop_chat(self) -> dict[RoomName, int]:
        """All that waits but the rest of the frame in flight. Returns the lowest seq dropped of each room."""
        self._interrupt()
        lowest: dict[RoomName, int] = {}
        for run in self._chat:
            room, first = run.batch.room, run.first_left()
            lowest[room] = min(first, lowest.get(room, first))
        self._clear_chat()
        return lowest

    def _clear_chat(self) -> None:
        self._chat.clear()
        self._chat_bytes = self._chat_frames = 0
        if self._run is not None:  # its last frame, still in flight
            self._chat_bytes, self._chat_frames = len(self._flight or b""), self._run.batch.frames

    def forget(self, room: RoomName) -> None:
        """Drops what waits of one room and tells nobody: its member has left it."""
        self._interrupt()
        gone = [run for run in self._chat if run.batch.room == room]
        for run in gone:
            self._chat.remove(run)
            self._chat_bytes -= len(run.batch.blob) - run.at
            self._chat_frames -= run.batch.frames

    def goodbye(self, blob: bytes) -> None:
        """`blob` is the last to leave. Chat and news are dropped; answers and alerts too unless they are few, so that
        an error and the close which it explains arrive together, whatever the transport."""
        self._interrupt()
        if self._control_bytes + sum(len(frame) for frame, _ in self._alerts) > LAST_ANSWERS_BYTES:
            self._alerts.clear()
            self._control.clear()
        self._pong = None
        self._news.clear()
        self._clear_chat()
        self._goodbye = blob
