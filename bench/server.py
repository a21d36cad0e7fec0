"""The server under test: started and pinned by the bench itself, or one that runs already."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic

from attrs import Factory, define, frozen

from bench import proc
from bench.proc import Pinning, pinning
from bench.scrape import get
from bench.wire import Address, parse_url

READY_LINE = "listening on "
OWN_COMMAND = (sys.executable, "-m", "bandstand", "serve")
RAISED = {
    "BANDSTAND_LIMITS_MESSAGES_PER_S": "1000000",
    "BANDSTAND_LIMITS_BURST": "1000000",
    "BANDSTAND_LIMITS_INBOUND_BYTES_PER_S": "1000000000",
}
"""A bench has few senders that say much; a festival has many that say little."""


class NotStarted(Exception):
    """The server did not come up; str() ends with the last it said."""


class Unsuited(Exception):
    """This scenario cannot be measured on such a server: no failure of either."""


@frozen
class Plan:
    """How to start a server of our own."""

    durability: str = "power"
    journal: Path | None = None
    """Copied, and the copy used. None: an empty one."""
    directory: Path | None = None
    """Where the journal lies. None: a new directory under the system's temporary one."""
    extra: Mapping[str, str] = Factory(dict)
    command: Sequence[str] = OWN_COMMAND


@define(eq=False)
class Server:
    """`pid` is None for a server that somebody else started without telling us: then there are no CPU figures."""

    address: Address
    pid: int | None
    pinned: Pinning
    settings: dict[str, str] = Factory(dict)
    """What differs from the defaults."""
    line_seconds: float = 0.0
    """From exec to the line that says where it listens."""
    ready_seconds: float = 0.0
    """From exec to the first 200 of /readyz."""
    ready_cpu_seconds: float = 0.0


@contextmanager
def running(url: str, pid: int | None = None) -> Iterator[Server]:
    """A server that runs already."""
    yield Server(parse_url(url), pid, Pinning(None, None))


@contextmanager
def started(plan: Plan, patience: float = 30.0) -> Iterator[Server]:
    """A server of our own on the first core, this process on the second; stopped and wiped at the end."""
    cores = pinning()
    usual = os.sched_getaffinity(0)
    directory = Path(tempfile.mkdtemp(prefix="bandstand-bench-", dir=plan.directory))
    try:
        settings = _settings(plan, directory)
        if cores.server is not None:
            os.sched_setaffinity(0, {cores.server})  # inherited by the child
        began = monotonic()
        # S603: the command is the operator's own, given on the command line
        environment = {**_clean_environment(), **settings}
        process = subprocess.Popen(  # noqa: S603
            list(plan.command), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=directory
        )
        assert process.stderr is not None
        if cores.generator is not None:
            os.sched_setaffinity(0, {cores.generator})
        said: deque[str] = deque(maxlen=30)
        listener = threading.Thread(target=_drain, args=(process, said), daemon=True)
        try:
            server = _ready(process, said, settings, cores, began, patience)
            listener.start()
            yield server
        finally:
            _stop(process)
            if listener.ident is not None:
                listener.join(5)
            process.stderr.close()
    finally:
        os.sched_setaffinity(0, usual)
        shutil.rmtree(directory, ignore_errors=True)


def _clean_environment() -> dict[str, str]:
    """Ours, without settings of the product, and without what an installation would not have: an installed package
    has its bytecode."""
    unwanted = ("BANDSTAND_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}


def _settings(plan: Plan, directory: Path) -> dict[str, str]:
    journal = directory / "bench.db"
    if plan.journal is not None:
        for file in plan.journal.parent.glob(plan.journal.stem + ".*"):
            _copy(file, directory / (journal.stem + file.name.removeprefix(plan.journal.stem)))
    settings = {"BANDSTAND_PORT": "0", "BANDSTAND_JOURNAL_PATH": str(journal), **RAISED, **plan.extra}
    if plan.durability != "power":
        settings["BANDSTAND_JOURNAL_DURABILITY"] = plan.durability
    return settings


def _copy(source: Path, target: Path) -> None:
    """On disk when it returns: the server's first sync must not have to wait for our copy."""
    shutil.copy(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _ready(
    process: "subprocess.Popen[bytes]",
    said: "deque[str]",
    settings: dict[str, str],
    cores: Pinning,
    began: float,
    patience: float,
) -> Server:
    timer = threading.Timer(patience, process.kill)
    timer.start()
    try:
        address = _listening(process, said)
        line_seconds = monotonic() - began
        while (status := get(address, "/readyz").status) != 200:
            if process.poll() is not None:
                raise _ended("was ready", process, said)
            if monotonic() - began > patience:
                raise NotStarted(f"/readyz says {status} for ever")
        ready_seconds, cpu_seconds = monotonic() - began, proc.cpu_seconds(process.pid)
    finally:
        timer.cancel()
    return Server(address, process.pid, cores, settings, line_seconds, ready_seconds, cpu_seconds)


def _listening(process: "subprocess.Popen[bytes]", said: "deque[str]") -> Address:
    assert process.stderr is not None
    for raw in process.stderr:
        line = raw.decode(errors="replace").rstrip()
        said.append(line)
        _, found, url = line.partition(READY_LINE)
        if found:
            return parse_url(url.split()[0].rstrip('",'))
    raise _ended("listened", process, said)


def _ended(before: str, process: "subprocess.Popen[bytes]", said: "deque[str]") -> NotStarted:
    assert process.stderr is not None
    said.extend(raw.decode(errors="replace").rstrip() for raw in process.stderr)
    return NotStarted(f"the server ended before it {before}:\n" + "\n".join(said))


def _drain(process: "subprocess.Popen[bytes]", said: "deque[str]") -> None:
    """Keep its stderr from filling up; show what it complains about."""
    assert process.stderr is not None
    with suppress(ValueError, OSError):
        for raw in process.stderr:
            line = raw.decode(errors="replace").rstrip()
            said.append(line)
            if "error" in line.lower() or "Traceback" in line:
                print(f"server: {line}", file=sys.stderr)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
