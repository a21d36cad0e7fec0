"""What is carried out of the house: a room's history, the timeline. Page by page, each within a frame."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from actors.admin.arguments import Export, Timeline
from actors.admin.orders import Denied, Order
from actors.admin.plans import Hands
from actors.events import AlertNotice, Entry, Erased, Message, Notice, PolicyChanged, Tombstone
from actors.stats.activity import Event

PAGE_ENTRIES = 200
LINES_BYTES = 24 * 1024
"""Of lines, which JSON may make more than twice as long."""
EVENTS = 200
FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = ("seq", "ts", "member", "nickname", "kind", "text")
KINDS = {PolicyChanged: "policy", AlertNotice: "alert_notice", Erased: "cleared"}
"""Where the type of the frame that clients get is not the name of the entry's body."""


async def export_room(hands: Hands, args: Export, _order: Order) -> dict[str, Any] | Denied:
    """`lines`: of the file, the CSV's heading on the first page. Hidden and deleted messages keep their place and have
    no words. `next`: the `after` of the next page."""
    record = await hands.rooms.record(args.room)
    if isinstance(record, Denied):
        return record
    page = await hands.world.log.read(
        args.room, after=args.after, before=None, limit=PAGE_ENTRIES, max_bytes=LINES_BYTES // 2
    )
    lines = [_line(COLUMNS, args.format)] if args.after == 0 and args.format == "csv" else []
    size, last = 0, args.after
    for entry in page.entries:
        line = _line(cells(entry), args.format)
        size += len(line.encode())
        if size > LINES_BYTES and last > args.after:
            return {"room": args.room, "lines": lines, "items": lines, "more": True, "next": last}
        lines.append(line)
        last = entry.seq
    return {"room": args.room, "lines": lines, "items": lines, "more": page.more, "next": last if page.more else None}


def cells(entry: Entry) -> tuple[object, ...]:
    nickname, kind, text = "", KINDS.get(type(entry.body)) or type(entry.body).__name__.lower(), ""
    match entry.body:
        case Message(nickname=name, text=said):
            nickname, text = str(name), said
        case Tombstone(hidden=hidden):
            kind = "hidden" if hidden else "deleted"
        case Notice(text=said):
            text = said
        case AlertNotice(headline=headline, text=said):
            text = f"{headline}: {said}" if said else headline
    return entry.seq, entry.ts, entry.author, nickname, kind, text


def _line(row: Sequence[object], format: str) -> str:
    if format == "jsonl":
        return json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False)
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([defused(cell) for cell in row])
    return out.getvalue()


def defused(cell: object) -> object:
    """A spreadsheet takes what begins like a formula for one, whoever wrote it; behind an apostrophe it is a text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


async def timeline(hands: Hands, args: Timeline) -> tuple[Sequence[Event], bool]:
    """All that the feed has told, each minute's counts included, oldest first; also: whether there are more behind."""
    until = hands.world.now() + 1 if args.until is None else args.until
    events = await hands.deeds.store.activity.after(args.after, EVENTS + 1, args.room, args.since, until)
    return events[:EVENTS], len(events) > EVENTS
