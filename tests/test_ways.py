"""docs/architecture.md and the README name functions and files along the way of a message: all of them are there."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = {page: (ROOT / page).read_text(encoding="utf-8") for page in ("docs/architecture.md", "README.md")}


@cache
def methods() -> frozenset[tuple[str, str]]:
    """(class, method) of all that is served with."""
    return frozenset(
        (node.name, item.name)
        for part in ("actors", "gateway")
        for file in (ROOT / part).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        for item in node.body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def named_methods(page: str) -> list[tuple[str, str]]:
    return re.findall(r"\b([A-Z][a-z]\w+)\.(_?[a-z]\w*)\b(?!\.)", page)


def named_files(page: str) -> list[str]:
    return re.findall(r"(?<![\w./-])((?:actors|gateway|bandstand|bench|tests|docs)/[\w./*-]*\w/?)", page)


def lost(page: str) -> list[str]:
    gone = [".".join(name) for name in named_methods(page) if name not in methods()]
    return gone + [file for file in named_files(page) if not any(ROOT.glob(file.rstrip("/")))]


def test_every_function_and_file_along_the_way_is_there() -> None:
    page = PAGES["docs/architecture.md"]
    assert len(named_methods(page)) > 20
    assert lost(page) == []


def test_every_file_of_the_readme_is_there() -> None:
    assert len(named_files(PAGES["README.md"])) > 20
    assert lost(PAGES["README.md"]) == []


def test_a_function_and_a_file_that_are_gone_are_found() -> None:
    assert lost("actors/room/attic.py Room._fly, and Room._post of actors/room/actor.py in tests/room/") == [
        "Room._fly",
        "actors/room/attic.py",
    ]
