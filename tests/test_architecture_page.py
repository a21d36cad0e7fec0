"""docs/architecture.md leads a reader to places that there are."""

import re
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def places(page: str) -> list[str]:
    """What the table names, from the root; a bare name stands beside the one before it."""
    found: list[str] = []
    for cell in re.findall(r"^\| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE):
        for name in re.findall(r"`([\w./*-]+)`", cell):
            beside = PurePosixPath(found[-1]).parent / name if found else PurePosixPath(name)
            found.append(name if "/" in name else str(beside))
    return found


def lost(page: str) -> list[str]:
    return [place for place in places(page) if not any(ROOT.glob(place.rstrip("/")))]


def test_everything_in_the_table_is_there() -> None:
    assert len(places(PAGE)) > 60
    assert lost(PAGE) == []


def test_a_place_that_is_gone_is_found() -> None:
    assert lost("| a | `actors/house.py`, `clock.py`, `attic.py` |\n| b | `cellar/` |\n") == [
        "actors/attic.py",
        "cellar/",
    ]
