"""A transport that takes as many bytes as the test allows, as a socket does or as a stream does."""

import trio


class SlowTransport:
    """`direct`: like a plain socket, `try_send` takes what there is room for. Else like TLS: only `push` takes, and
    keeps what it took until `ready`."""

    def __init__(self, direct: bool) -> None:
        self._direct = direct
        self._room = 0
        self._more = trio.Event()
        self._held = b""
        self.wire = bytearray()
        self.broken: OSError | None = None
        self.half_closed = False
        self.aborted = False
        self.reset = False
        self.in_kernel: int | None = 0
        self.asked = 0

    def allow(self, size: int) -> None:
        self.open_silently(size)
        self._more.set()
        self._more = trio.Event()

    def open_silently(self, size: int) -> None:
        """The room is there, but nobody has been told yet."""
        self._room += size

    def _take(self, data: bytes | memoryview) -> int:
        if self.broken is not None:
            raise self.broken
        if self.aborted:
            raise OSError(9, "closed")
        taken = min(self._room, len(data))
        self.wire += data[:taken]
        self._room -= taken
        return taken

    def try_send(self, data: bytes | memoryview, /) -> int:
        if not self._direct:
            if self.broken is not None:
                raise self.broken
            return 0
        taken = self._take(data)
        if not taken:
            raise BlockingIOError
        return taken

    def push(self, data: memoryview) -> int:
        if self._direct:
            return self.try_send(data)
        self._held = bytes(data[:16_384])
        return len(self._held)

    @property
    def holds(self) -> bool:
        return bool(self._held)

    async def ready(self) -> None:
        await trio.lowlevel.checkpoint()
        if self._direct:
            while not self._room and not self.aborted and self.broken is None:
                await self._more.wait()
        while self._held:
            self._held = self._held[self._take(self._held) :]
            if self._held:
                await self._more.wait()
        if self.broken is not None:
            raise self.broken
        if self.aborted:
            raise trio.ClosedResourceError

    async def receive(self) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    def unsent(self) -> int | None:
        self.asked += 1
        return self.in_kernel

    def send_eof(self) -> None:
        self.half_closed = True

    def abort(self, reset: bool = False) -> None:
        self.aborted = True
        self.reset = self.reset or reset
        self._more.set()
