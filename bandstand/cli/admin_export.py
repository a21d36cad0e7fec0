"""What is carried out of the house page by page: a room's history as JSON Lines or CSV, the timeline."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from bandstand.admin_client import Desk
from bandstand.admin_line import Json

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula at the beginning of a cell."""


async def export_room(desk: Desk, room: str, kind: str, write: Callable[[str], object]) -> int:
    """How many lines. The server's own CSV lines where it sends such, else its items as rows."""
    return await _export(desk, "room.export", {"room": room, "format": kind}, kind, write)


async def export_timeline(desk: Desk, args: Json, write: Callable[[str], object]) -> int:
    """How many lines, which are JSON."""
    return await _export(desk, "timeline.export", args, "jsonl", write)


async def _export(desk: Desk, command: str, args: Json, kind: str, write: Callable[[str], object]) -> int:
    after: Any = 0
    count, head = 0, ""
    while True:
        page = await desk.read(command, {**args, "after": after})
        items = list(page.get("items", ()))
        text, head = lines_of(items, kind, head)
        write(text)
        count += len(items)
        if not page.get("more") or page.get("next") in (None, after):
            return count
        after = page["next"]


def lines_of(items: list[Json | str], kind: str, head: str) -> tuple[str, str]:
    """The text of these items, and the CSV head that has been written by then (so that it stands once)."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    for item in items:
        if isinstance(item, str):
            out.write(item.rstrip("\n") + "\n")
        elif kind == "jsonl":
            out.write(json.dumps(item, ensure_ascii=False) + "\n")
        else:
            if not head:
                head = ",".join(item)
                rows.writerow(item)
            rows.writerow([_cell(item.get(name)) for name in head.split(",")])
    return out.getvalue(), head


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value if isinstance(value, str | int | float | None) else json.dumps(value, ensure_ascii=False)
