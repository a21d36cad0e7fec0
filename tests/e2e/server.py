"""The real command as a process of its own: started in a folder, killed, stopped, started again at the same address."""

import os
import random
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from subprocess import PIPE

import trio

ROOT = Path(__file__).parents[2]
LISTENING = "listening on "
START_SECONDS = 30.0
STOP_SECONDS = 30.0
WORKERS = 16
ROOMY = {
    "limits.messages_per_s": 100_000,
    "limits.burst": 100_000,
    "limits.inbound_bytes_per_s": 1_000_000_000,
    "limits.joins_per_s": 1_000,
    "limits.joins_burst": 1_000,
    "journal.free_disk_bytes": 0,
}
"""A test has few clients that say much; a festival has many that say little."""


class NotStarted(Exception):
    """It ended before it listened: `code`, and what it said on stderr as str()."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


def free_port() -> int:
    """Below the range that the kernel hands out to outgoing connections: while the server is down nobody else gets it,
    and a client that tries to come back never connects to itself. One in WORKERS, so that none of the suite's other
    workers, which may start a server in the same moment, takes it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = random.randrange(10_000 + worker % WORKERS, 32_000, WORKERS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server:
    """`settings` by dotted name, as in the settings file. What is changed in them counts from the next start."""

    def __init__(self, nursery: trio.Nursery, folder: Path, settings: Mapping[str, object], config: str = "") -> None:
        self._nursery = nursery
        self.folder = folder
        self.port = free_port()
        self.settings: dict[str, object] = {"journal.path": folder / "journal.db", **settings}
        self.config = config
        """The settings file, as TOML."""
        self.program = "bandstand"
        """The module that is run."""
        self.preexec: Callable[[], None] | None = None
        """Run in the child before it becomes the server."""
        self.said: list[str] = []
        """All lines of stderr, of all lives."""
        self.process: trio.Process | None = None
        self._drained = trio.Event()

    @property
    def journal(self) -> Path:
        return Path(str(self.settings["journal.path"]))

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def words(self) -> Sequence[str]:
        if not self.config:
            return (sys.executable, "-m", self.program, "serve")
        path = self.folder / "bandstand.toml"
        path.write_text(self.config, encoding="utf-8")
        return (sys.executable, "-m", self.program, "--config", str(path), "serve")

    async def start(self) -> None:
        """Returns when it listens. Raises NotStarted."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("BANDSTAND_")}
        env |= {"PYTHONPATH": str(ROOT), "BANDSTAND_PORT": str(self.port)}
        env |= {f"BANDSTAND_{name.upper().replace('.', '_')}": str(value) for name, value in self.settings.items()}
        listening = trio.Event()
        self._drained = trio.Event()
        more = {} if self.preexec is None else {"preexec_fn": self.preexec}
        self.process = await trio.lowlevel.open_process(
            self.words(), cwd=self.folder, env=env, stdin=None, stdout=PIPE, stderr=PIPE, **more
        )
        self._nursery.start_soon(self._listen, self.process, len(self.said), listening, self._drained)
        with trio.fail_after(START_SECONDS):
            await listening.wait()
        if self.process.returncode is not None:
            raise NotStarted(self.process.returncode, "\n".join(self.said[-40:]))

    async def _listen(self, process: trio.Process, at: int, listening: trio.Event, drained: trio.Event) -> None:
        assert process.stderr is not None
        rest = b""
        async for data in process.stderr:
            *lines, rest = (rest + data).split(b"\n")
            self.said += [line.decode(errors="replace") for line in lines]
            if any(LISTENING in line for line in self.said[at:]):
                listening.set()
        self.said += [rest.decode(errors="replace")] if rest else []
        await process.wait()
        drained.set()
        listening.set()

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Drained and gone; its exit code."""
        return await self._end(how)

    async def _end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return await self.ended()

    async def ended(self) -> int:
        assert self.process is not None
        with trio.fail_after(STOP_SECONDS):
            await self._drained.wait()
        assert self.process.returncode is not None
        return self.process.returncode

    async def get(self, path: str, stream: trio.abc.Stream | None = None) -> tuple[int, str]:
        """Status and body. `stream`: opened earlier."""
        stream = stream or await trio.open_tcp_stream("127.0.0.1", self.port)
        async with stream:
            await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            answer = b"".join([data async for data in stream])
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), body.decode()

    async def ready(self) -> None:
        """The first 200 of /readyz; the caller's scope says how long."""
        while (await self.get("/readyz"))[0] != 200:  # noqa: ASYNC110
            await trio.sleep(0.01)

    async def figure(self, name: str) -> float:
        """One number of /metrics, with all its labels summed; 0 while none of them has been seen."""
        _, page = await self.get("/metrics")
        found = [
            line for line in page.splitlines() if line.startswith(f"bandstand_{name}") and not line.startswith("#")
        ]
        values = [float(line.rpartition(" ")[2]) for line in found if line.split("{")[0].split(" ")[0][10:] == name]
        assert f"# HELP bandstand_{name} " in page, f"{name} is not in /metrics"
        return sum(values)

    def resident_bytes(self) -> int:
        text = Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii")
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """Of this life so far: what a start costs, whoever else wants the machine."""
        words = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def open_sockets(self) -> int:
        """Not all files: the journal's readers open theirs when they are first needed."""
        links = []
        for fd in Path(f"/proc/{self.pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                links.append(str(fd.readlink()))
        return sum(link.startswith("socket:") for link in links)

    def faults(self) -> list[str]:
        """What it complained about that no test may provoke."""
        signs = ("Traceback", "connection_failed", "callback_error")
        return [line for line in self.said if any(sign in line for sign in signs)]


@asynccontextmanager
async def standing(folder: Path, config: str = "", **settings: object) -> AsyncIterator[Server]:
    """Not started yet; gone at the end, whatever happens. `settings`: `limits__burst=3` for limits.burst."""
    named = {name.replace("__", "."): value for name, value in settings.items()}
    async with trio.open_nursery() as nursery:
        server = Server(nursery, folder, {**ROOMY, **named}, config)
        try:
            yield server
        finally:
            if server.process is not None and server.process.returncode is None:
                server.process.kill()
                with trio.CancelScope(shield=True):
                    await server.process.wait()
        nursery.cancel_scope.cancel()
    assert not server.faults(), "\n".join(server.said[-60:])


@contextmanager
def hosted(folder: Path, **settings: object) -> Iterator[Server]:
    """In a loop of its own in a thread, so that a module's tests can share one: a start costs a second. Its port, pid
    and pages are for any loop."""
    ready, done, stood = threading.Event(), threading.Event(), []

    async def life() -> None:
        async with serving(folder, **settings) as server:
            stood.append(server)
            ready.set()
            await trio.to_thread.run_sync(done.wait)

    def run() -> None:
        try:
            trio.run(life)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(START_SECONDS)
        yield stood[0]
    finally:
        done.set()
        thread.join(STOP_SECONDS)


@asynccontextmanager
async def serving(folder: Path, config: str = "", **settings: object) -> AsyncIterator[Server]:
    async with standing(folder, config, **settings) as server:
        await server.start()
        yield server
