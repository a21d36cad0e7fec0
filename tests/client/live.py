"""The fake server on a real port, in a thread of its own, for a browser or a process to talk to."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import trio

from tests.client.fake_server import FakeHouse

T = TypeVar("T")


class LiveHouse:
    """`with LiveHouse(house) as live:`; live.call(f) runs f where the house lives."""

    def __init__(self, house: FakeHouse) -> None:
        self.house = house
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,), daemon=True)

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                listeners = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
                self.port = listeners[0].socket.getsockname()[1]
                nursery.start_soon(trio.serve_listeners, self.house.serve, listeners)
                self._ready.set()

    def __enter__(self) -> "LiveHouse":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.call(self._scope.cancel)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def call(self, act: Callable[..., T], *args: Any, **named: Any) -> T:
        return trio.from_thread.run_sync(lambda: act(*args, **named), trio_token=self._token)
