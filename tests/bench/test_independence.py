"""The bench measures from outside: it may use the protocol, never the server."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"
ALLOWED = ("attrs", "rich", "click", "bench", "bandstand.client", "gateway.protocol")


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield node.module or ""


def outside(source: str) -> list[str]:
    names = list(imported(ast.parse(source)))
    allowed = {*ALLOWED, *sys.stdlib_module_names}
    return [name for name in names if not any(name == one or name.startswith(one + ".") for one in allowed)]


def test_the_bench_imports_no_server_internals() -> None:
    files = sorted(BENCH.rglob("*.py"))
    found = {file.relative_to(BENCH).as_posix(): outside(file.read_text()) for file in files}

    assert len(files) > 10
    assert {name: names for name, names in found.items() if names} == {}


def test_this_rule_sees_what_it_forbids() -> None:
    assert outside("from actors.journal import store\nimport gateway.app, json, trio") == [
        "actors.journal",
        "gateway.app",
        "trio",
    ]
