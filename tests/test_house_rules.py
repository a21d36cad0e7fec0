"""Who may import whom, and how large anything may grow (docs/architecture.md, section 2), held by walking the source.

Each rule is a function from one file to its offences, and is shown bad examples below: a rule that cannot fail is none.
"""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from attrs import frozen

ROOT = Path(__file__).parent.parent
PACKAGES = ("actors", "bandstand", "bench", "gateway")
FILE_LINES = 400
FUNCTION_LINES = 60
NO_NAMES = {"utils", "util", "common", "core", "manager", "managers", "helpers", "helper", "misc"}

PURE_BANS = ("trio", "sqlite3", "socket", "time", "random")
LIBRARY_HOMES = {
    "trio_websocket": ("gateway/wire/",),
    # bandstand/socket.py is the client's own wire: wsproto alone, since trio-websocket loses half frames (hazard R8).
    "wsproto": ("gateway/wire/", "bandstand/socket.py"),
    "h11": ("gateway/",),
    "sqlite3": ("actors/journal/", "actors/alerts/", "actors/admin/store"),
}
# What the frames speak in: names, entries and reasons for a refusal, with no behaviour that a client could depend on.
WORDS = ("actors.names", "actors.events", "actors.refusals")
# (importing module, what it may not import, what it may all the same)
ARROWS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("actors", ("gateway", "bandstand", "bench"), ()),
    ("actors.kernel", ("actors",), ("actors.kernel",)),
    ("gateway", ("bandstand", "bench"), ()),
    ("gateway.protocol", ("actors", "gateway"), (*WORDS, "gateway.protocol")),
    ("bandstand.client", ("actors", "gateway"), ("actors.names", "gateway.protocol")),
    ("bench", ("actors", "gateway"), ("gateway.protocol",)),
)
# Where `except Exception` may stand without raising again, and why.
BARRIERS = {
    "actors/journal/keeper.py": "a fault that one draft brings out must not take the rest of its batch along",
    "actors/journal/writer.py": "the thread's barrier: a fault belongs to its job, not to the writer",
    "actors/kernel/supervisor.py": "a child's fault is its own: it is counted, logged and answered with a restart",
    "actors/stats/feed.py": "whoever keeps the feed must not take the house's numbers along",
    "gateway/barrier.py": "one client's fault ends one connection, and one task's that task: never the server",
}


@frozen
class Source:
    path: str
    text: str

    @property
    def module(self) -> str:
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def nodes(self) -> tuple[ast.AST, ...]:
        return nodes_of(self)

    def imports(self) -> Iterator[tuple[int, str]]:
        """(line, dotted name) of each import, `from a import b` as a.b, relative ones resolved."""
        package = self.module.split(".")
        if not self.path.endswith("__init__.py"):
            package = package[:-1]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) - node.level + 1] if node.level else []
                base = [*above, *([node.module] if node.module else [])]
                yield from ((node.lineno, ".".join([*base, name.name])) for name in node.names)


@cache
def nodes_of(source: Source) -> tuple[ast.AST, ...]:
    """Parsed and walked once, for all the rules."""
    return tuple(ast.walk(ast.parse(source.text, source.path)))


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def arrows_point_inwards(source: Source) -> Iterator[str]:
    for importer, banned, allowed in ARROWS:
        if not within(source.module, importer):
            continue
        for line, name in source.imports():
            if any(within(name, ban) for ban in banned) and not any(within(name, may) for may in allowed):
                yield f"{source.path}:{line}: {importer} may not import {name}"


def is_pure(module: str) -> bool:
    return module.endswith(".book") or module in (*WORDS, "gateway.session") or within(module, "gateway.protocol")


def pure_code_knows_no_clock_and_no_socket(source: Source) -> Iterator[str]:
    if is_pure(source.module):
        for line, name in source.imports():
            if any(within(name, ban) for ban in PURE_BANS):
                yield f"{source.path}:{line}: {source.module} is pure and may not import {name}"


def libraries_stay_at_home(source: Source) -> Iterator[str]:
    for line, name in source.imports():
        homes = LIBRARY_HOMES.get(name.partition(".")[0])
        if homes is not None and not source.path.startswith(homes):
            yield f"{source.path}:{line}: {name} belongs to {' and '.join(homes)}"


def channels_are_bounded(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.Call) and "open_memory_channel" in ast.unparse(node.func):
            bounds = [ast.unparse(bound) for bound in (*node.args, *(word.value for word in node.keywords))]
            if any(bound.rpartition(".")[2] == "inf" or bound.lower() in UNBOUNDED for bound in bounds):
                yield f"{source.path}:{node.lineno}: a memory channel without a bound"


UNBOUNDED = {"float('inf')", "float('infinity')"}


def files_fit_in_the_head(source: Source) -> Iterator[str]:
    count = len(source.text.splitlines())
    if count > FILE_LINES:
        yield f"{source.path}: {count} lines, at most {FILE_LINES}: split it by its nouns"


def functions_are_short(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES:
                yield f"{source.path}:{node.lineno}: {node.name} has {count} lines, at most {FUNCTION_LINES}"


def names_say_something(source: Source) -> Iterator[str]:
    for part in source.module.split("."):
        if NO_NAMES & {part, *part.split("_")}:
            yield f"{source.path}: {part!r} says nothing about what is in it"


BROAD = {"Exception", "BaseException", "everything"}


def handlers(source: Source) -> Iterator[tuple[ast.ExceptHandler, set[str]]]:
    """With the names of what each catches."""
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            types = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            yield node, {ast.unparse(kind).rpartition(".")[2] if kind else "everything" for kind in types}


def broad_excepts_say_why(source: Source) -> Iterator[str]:
    lines = source.text.splitlines()
    for node, names in handlers(source):
        if names & BROAD and "  # " not in lines[node.lineno - 1]:
            yield f"{source.path}:{node.lineno}: say on this line why it catches everything, or name what it can meet"
    for number, line in enumerate(lines, 1):
        if re.search(r"suppress\(.*\b(Base)?Exception\b", line):
            yield f"{source.path}:{number}: name what is to be suppressed"


def broad_excepts_stand_at_barriers(source: Source) -> Iterator[str]:
    """One that ends in a bare `raise` only cleans up, and may stand anywhere."""
    for node, names in handlers(source):
        last = node.body[-1]
        raises_again = isinstance(last, ast.Raise) and last.exc is None
        if names & BROAD and not raises_again and source.path not in BARRIERS:
            yield f"{source.path}:{node.lineno}: catches {', '.join(sorted(names))}; name what can be dealt with here"


def nothing_is_left_for_later(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.text.splitlines(), 1):
        if any(word in line for word in ("TO" + "DO", "FIX" + "ME")):
            yield f"{source.path}:{number}: do it, or leave it out"


Rule = Callable[[Source], Iterator[str]]
RULES: tuple[Rule, ...] = (
    arrows_point_inwards,
    pure_code_knows_no_clock_and_no_socket,
    libraries_stay_at_home,
    channels_are_bounded,
    files_fit_in_the_head,
    functions_are_short,
    names_say_something,
    broad_excepts_say_why,
    broad_excepts_stand_at_barriers,
    nothing_is_left_for_later,
)


@cache
def sources() -> list[Source]:
    files = [ROOT / "run.py", *(file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))]
    return [Source(file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")) for file in files]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule) -> None:
    offences = [offence for source in sources() for offence in rule(source)]
    assert not offences, "\n" + "\n".join(offences)


def test_the_walk_sees_the_house() -> None:
    seen = {source.path for source in sources()}
    assert {"run.py", "gateway/settings.py", "bandstand/cli/__init__.py"} <= seen


BAD: list[tuple[Rule, str, str]] = [
    (arrows_point_inwards, "actors/room/actor.py", "import gateway"),
    (arrows_point_inwards, "actors/house.py", "from bandstand.client import Client"),
    (arrows_point_inwards, "actors/a.py", "def f():\n    from bench import load"),
    (arrows_point_inwards, "actors/kernel/ref.py", "from actors.events import Entry"),
    (arrows_point_inwards, "actors/kernel/ref.py", "from .. import events"),
    (arrows_point_inwards, "actors/kernel/__init__.py", "from ..room import book"),
    (arrows_point_inwards, "gateway/app.py", "import bandstand.demo"),
    (arrows_point_inwards, "gateway/protocol/codec.py", "from actors.room.book import Book"),
    (arrows_point_inwards, "gateway/protocol/codec.py", "from gateway import outlet"),
    (arrows_point_inwards, "bandstand/client.py", "from gateway.settings import Settings"),
    (arrows_point_inwards, "bench/load.py", "import actors.names"),
    (arrows_point_inwards, "bench/load.py", "from gateway import app"),
    (pure_code_knows_no_clock_and_no_socket, "actors/alerts/book.py", "import trio"),
    (pure_code_knows_no_clock_and_no_socket, "gateway/session.py", "from time import monotonic"),
    (pure_code_knows_no_clock_and_no_socket, "gateway/protocol/frames.py", "import random"),
    (libraries_stay_at_home, "gateway/outlet.py", "import trio_websocket"),
    (libraries_stay_at_home, "gateway/http.py", "from wsproto.events import Ping"),
    (libraries_stay_at_home, "bandstand/client.py", "import h11"),
    (libraries_stay_at_home, "bandstand/cli/doctor.py", "import sqlite3"),
    (libraries_stay_at_home, "actors/admin/acts.py", "import sqlite3"),
    (channels_are_bounded, "actors/a.py", "trio.open_memory_channel(math.inf)"),
    (channels_are_bounded, "actors/a.py", "open_memory_channel[int](float('inf'))"),
    (channels_are_bounded, "actors/a.py", "open_memory_channel(max_buffer_size=inf)"),
    (files_fit_in_the_head, "actors/a.py", "pass\n" * (FILE_LINES + 1)),
    (functions_are_short, "actors/a.py", "async def f():\n" + "    pass\n" * FUNCTION_LINES),
    (names_say_something, "actors/room/utils.py", ""),
    (names_say_something, "actors/core/__init__.py", ""),
    (names_say_something, "gateway/wire_helpers.py", ""),
    (broad_excepts_say_why, "actors/a.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise"),
    (broad_excepts_say_why, "actors/a.py", "try:\n    f()\nexcept* (ValueError, Exception):\n    g()"),
    (broad_excepts_say_why, "actors/a.py", "with suppress(KeyError, Exception):\n    f()"),
    (broad_excepts_stand_at_barriers, "actors/a.py", "try:\n    f()\nexcept Exception:\n    pass"),
    (broad_excepts_stand_at_barriers, "actors/a.py", "try:\n    f()\nexcept:\n    pass"),
    (broad_excepts_stand_at_barriers, "actors/a.py", "try:\n    f()\nexcept* Exception:\n    pass"),
    (broad_excepts_stand_at_barriers, "actors/a.py", "try:\n    f()\nexcept (E, Exception) as e:\n    raise X from e"),
    (nothing_is_left_for_later, "actors/a.py", "# TO" + "DO later"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_breach_is_found(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(Source(path, text)))) == 1


GOOD: list[tuple[str, str]] = [
    ("actors/kernel/ref.py", "from actors.kernel.asks import Asks\nfrom . import berth\nimport trio"),
    ("gateway/protocol/codec.py", "from actors.names import RoomName\nfrom gateway.protocol import frames"),
    ("gateway/wire/portable.py", "from trio_websocket import wrap_server_stream\nimport wsproto"),
    ("gateway/http.py", "import h11"),
    ("bench/load.py", "from gateway.protocol import frames\nfrom bandstand.client import Client"),
    ("bandstand/cli/serve.py", "from gateway.app import serve\nfrom actors.house import House"),
    ("bandstand/cli/bench.py", "from bench.load import run"),
    ("actors/journal/store.py", "import sqlite3\ntry:\n    f()\nexcept BaseException:  # why\n    g()\n    raise"),
    ("actors/a.py", "send, receive = trio.open_memory_channel(16)\ntry:\n    f()\nexcept OSError:\n    pass"),
    ("gateway/barrier.py", "try:\n    f()\nexcept* Exception:  # why\n    log()"),
]


@pytest.mark.parametrize(("path", "text"), GOOD)
def test_what_is_right_is_let_be(path: str, text: str) -> None:
    assert [offence for rule in RULES for offence in rule(Source(path, text))] == []
