"""Questions of operators. None waits behind an act or behind chat: they come from the board of the stats, from the
store, from the ledgers of the alerts, and from the control lanes of a few actors.

A list is `items`, `more` and `next` (what the next page is asked with), and always fits a frame."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from actors.admin import arguments as a
from actors.admin import recording
from actors.admin.alert_rows import row
from actors.admin.commands import TABLE
from actors.admin.executor_alerts import previewed
from actors.admin.executor_rooms import members_in, moved
from actors.admin.export import export_room, timeline
from actors.admin.orders import Answer, Denied, Order, Outcome
from actors.admin.plans import Hands
from actors.admin.recording import Verdict
from actors.admin.store import StoreFailed
from actors.admin.world import NO_ALERTS, asked
from actors.alerts.cap import to_xml
from actors.alerts.drafts import as_json
from actors.alerts.messages import Names, Person, Report, Summary
from actors.alerts.vocabulary import AlertId
from actors.journal.log import LogFailed
from actors.names import MemberId
from actors.people.outlet import Visit
from actors.people.registry import Everyone

FRAME_ROOM = 60 * 1024
Found = Mapping[str, Any] | Denied
Reader = Callable[[Hands, Any, Order], Awaitable[Found]]


async def read(hands: Hands, order: Order) -> Answer:
    spec = TABLE[order.name]
    if order.by.role < spec.role:
        found: Found = Denied("forbidden", f"{order.name} needs the role {spec.role.word}")
    elif isinstance(order.args, Denied):
        found = order.args
    else:
        found = await _tried(READERS[order.name](hands, order.args, order))
    if spec.recorded:
        # What cannot be recorded does not leave the house.
        found = await _tried(_on_record(hands, order, found))
    return found if isinstance(found, Denied) else Outcome(detail=found)


async def _on_record(hands: Hands, order: Order, found: Found) -> Found:
    """Of an export that goes on, the first page is."""
    entry = recording.entry(order, Verdict(found if isinstance(found, Denied) else Outcome()))
    if isinstance(found, Denied):
        for row in hands.refusals.note(entry, hands.world.now()):
            await hands.deeds.audit(row)
        return found
    if not hands.carried.goes_on(order):
        await hands.deeds.audit(entry)
    hands.carried.gave(order, found)
    return found


async def _tried(reading: Awaitable[Found]) -> Found:
    try:
        return await reading
    except StoreFailed as wrong:
        return Denied("unavailable", str(wrong), round(wrong.retry_after_s * 1000))
    except LogFailed as failure:
        return Denied("unavailable", str(failure), failure.retry_after_ms)
    except KeyError:
        return Denied("not_found", "there is no such thing (any more)")


def page(
    items: Iterable[Any], limit: int, key: Callable[[Any], Any], more: bool = False, room: int = FRAME_ROOM
) -> dict[str, Any]:
    """As many as fit into `room` bytes. `key`: of the last one, what the next page is asked with. `more`: there are
    others behind."""
    kept: list[Any] = []
    rest = iter(items)
    for item in islice(rest, limit):
        room -= len(json.dumps(item)) + 1
        if room < 0 and kept:
            return {"items": kept, "more": True, "next": key(kept[-1])}
        kept.append(item)
    again = more or next(rest, None) is not None
    return {"items": kept, "more": again, "next": key(kept[-1]) if again and kept else None}


# -- rooms -------------------------------------------------------------------------------------------------------------


async def room_list(hands: Hands, args: a.RoomList, _order: Order) -> Found:
    snapshot: Mapping[str, Any] = hands.world.board.snapshot("rooms") or {"rooms": []}
    rows = sorted(snapshot["rooms"], key=lambda row: str(row["room"]))
    wanted = [row for row in rows if row["room"] > args.after and args.zone in ("", row["zone"])]
    return {**page(wanted, args.limit, lambda row: row["room"]), "at": snapshot.get("at")}


async def room_show(hands: Hands, args: a.Room, _order: Order) -> Found:
    record = await hands.rooms.record(args.room)
    if isinstance(record, Denied):
        return record
    census = await hands.rooms.census(args.room)
    shown: dict[str, Any] = {
        "room": record.name, "title": record.title, "code": record.code, "zone": record.zone,
        "official": record.official, "deleted": record.deleted, "created": record.created, "epoch": record.epoch,
        "row": (hands.world.board.snapshot(f"room:{args.room}") or {}).get("row"),
    }  # fmt: skip
    if isinstance(census, Denied):
        shown["trouble"] = census.message
    else:
        policy = census.policy
        shown |= {
            "online": census.online, "head": census.head, "oldest": census.oldest, "behind": census.behind,
            "rev": policy.rev, "frozen": policy.frozen, "slow_s": policy.slow_s, "closed": policy.closed,
            "capacity": policy.max_members, "reason": policy.reason, "pinned": census.pinned,
        }  # fmt: skip
    shown["evacuation"] = await moved(hands, args.room)
    return shown


# -- members -----------------------------------------------------------------------------------------------------------


async def member_list(hands: Hands, args: a.MemberList, _order: Order) -> Found:
    if args.room is not None:
        seated = await members_in(hands, args.room)
        if isinstance(seated, Denied):
            return seated
        people = {member: _card(hands, member, nickname, [args.room]) for member, nickname in seated.items()}
    else:
        visits = await asked(hands.world.people, Everyone)
        if isinstance(visits, Denied):
            return visits
        people = {visit.member: _card(hands, visit.member, visit.nickname, visit.seats) for visit in visits}
    wanted = [people[member] for member in sorted(people) if member > args.after]
    return {**page(wanted, args.limit, lambda card: card["member"]), "online": len(people)}


def _card(hands: Hands, member: MemberId, nickname: str, rooms: Iterable[str]) -> dict[str, Any]:
    standing = hands.world.standing
    return {
        "member": member, "nickname": nickname, "rooms": sorted(rooms), "online": True,
        "role": standing.roles.get(member, ""), "badge": standing.badge(member),
    }  # fmt: skip


async def member_find(hands: Hands, args: a.MemberFind, _order: Order) -> Found:
    """Who is here is found by part of the name; who was, in the roster."""
    found: dict[MemberId, dict[str, Any]] = {}
    wanted = args.text.casefold()
    visits: Sequence[Visit] | Denied = await asked(hands.world.people, Everyone)
    for visit in () if isinstance(visits, Denied) else visits:
        if wanted in visit.nickname.casefold() or visit.member == args.text:
            found[visit.member] = _card(hands, visit.member, visit.nickname, visit.seats)
    for known in await hands.world.log.find_members(args.text, args.limit + 1):
        card = _card(hands, known.member, known.nickname, ()) | {"online": False}
        found.setdefault(known.member, card | {"first_seen": known.first_seen, "last_seen": known.last_seen})
    return page(sorted(found.values(), key=lambda card: str(card["nickname"])), args.limit, lambda card: None)


async def member_show(hands: Hands, args: a.Member, _order: Order) -> Found:
    visits = await hands.visits(args.member)
    row = await hands.world.log.roster(args.member)
    if row is None and not visits:
        return Denied("not_found", "nobody of that id has ever been here")
    nickname = visits[0].nickname if visits else row.nickname if row is not None else ""
    rooms = {room for visit in visits for room in visit.seats}
    now = hands.world.now()
    return {
        **_card(hands, args.member, nickname, rooms),
        "online": bool(visits),
        "connections": len(visits),
        "first_seen": None if row is None else row.first_seen,
        "last_seen": now if visits else None if row is None else row.last_seen,
        "sanctions": [_sanction(each) for each in hands.world.standing.sanctions()
                      if each.member == args.member and each.holds(now)],
    }  # fmt: skip


def _sanction(each: Any) -> dict[str, Any]:
    return {
        "kind": each.kind, "member": each.member, "address": each.address, "room": each.room, "until": each.until,
        "reason": each.reason, "act": each.act,
    }  # fmt: skip


# -- alerts ------------------------------------------------------------------------------------------------------------


async def _reports(hands: Hands, alert: str | None) -> Sequence[Report] | Denied:
    if hands.world.alerts is None:
        return NO_ALERTS
    name = None if alert is None else AlertId(alert)
    found: Sequence[Report] | Denied = await asked(hands.world.alerts, lambda asks: Summary(asks, name))
    if not isinstance(found, Denied) and alert is not None and not found:
        return Denied("not_found", f"there is no alert {alert}")
    return found


async def alert_list(hands: Hands, args: a.AlertList, _order: Order) -> Found:
    found = await _reports(hands, None)
    if isinstance(found, Denied):
        return found
    names = [report.alert.id for report in found]
    begin = names.index(AlertId(args.after)) + 1 if args.after in names else 0
    return page((row(report) for report in found[begin:]), args.limit, lambda each: each["id"])


async def alert_show(hands: Hands, args: a.AlertOnly, _order: Order) -> Found:
    found = await _reports(hands, args.alert)
    if isinstance(found, Denied):
        return found
    return {**row(found[0]), "draft": as_json(found[0].alert.draft)}


async def alert_ledger(hands: Hands, args: a.AlertLedger, _order: Order) -> Found:
    if hands.world.alerts is None:
        return NO_ALERTS
    found = await asked(
        hands.world.alerts,
        lambda asks: Names(asks, AlertId(args.alert), args.rev, args.state, args.room, args.page),
    )
    if isinstance(found, Denied):
        return found
    items = [_person(person) for person in found.people]
    more = found.page < found.pages
    return {
        "items": items, "page": found.page, "pages": found.pages, "total": found.total, "more": more,
        "next": found.page + 1 if more else None,
    }  # fmt: skip


def _person(person: Person) -> dict[str, Any]:
    return {
        "member": person.member, "nickname": person.nickname, "state": person.state.word, "at": person.at,
        "help": person.help, "helped": person.helped, "note": person.note[:200],
        "joined_after": person.joined_after, "rooms": list(person.rooms[:8]),
    }  # fmt: skip


async def alert_preview(hands: Hands, draft: Any, _order: Order) -> Found:
    seen = await previewed(hands, draft)
    if isinstance(seen, Denied):
        return seen
    return {
        "people": seen.people, "connected": seen.connected, "rooms": list(seen.rooms), "frame": json.loads(seen.frame),
    }  # fmt: skip


async def alert_export(hands: Hands, args: a.AlertOnly, _order: Order) -> Found:
    found = await _reports(hands, args.alert)
    return found if isinstance(found, Denied) else {"xml": to_xml(found[0].alert, replaced_sent=found[0].replaced_sent)}


# -- the record --------------------------------------------------------------------------------------------------------


async def act_list(hands: Hands, args: a.ActList, _order: Order) -> Found:
    deeds = await hands.deeds.page(args.before, args.limit + 1, args.operator)
    return page([deed.shown() for deed in deeds], args.limit, lambda row: row["n"])


async def activity_page(hands: Hands, args: a.ActivityPage, _order: Order) -> Found:
    events = await hands.deeds.store.activity.page(args.before, args.limit + 1, args.kind, args.room, args.operator)
    return page([event.shown() for event in events], args.limit, lambda row: row["n"])


async def timeline_show(hands: Hands, args: a.Timeline, _order: Order) -> Found:
    events, more = await timeline(hands, args)
    return page([event.shown() for event in events], len(events), lambda row: row["n"], more)


async def timeline_export(hands: Hands, args: a.Timeline, _order: Order) -> Found:
    events, more = await timeline(hands, args)
    lines = [json.dumps(event.shown(), ensure_ascii=False) for event in events]
    # Told under both names, so each line goes twice.
    shown = page(lines, len(lines), lambda line: json.loads(line)["n"], more, FRAME_ROOM // 2)
    return {**shown, "lines": shown["items"]}


async def report_list(hands: Hands, args: a.ReportList, _order: Order) -> Found:
    reports = await hands.deeds.store.reports.page(args.before, args.limit + 1, open=args.open)
    return page([report.shown() for report in reports], args.limit, lambda row: int(row["report"]))


async def house_show(hands: Hands, _args: a.Nothing, _order: Order) -> Found:
    standing, now = hands.world.standing, hands.world.now()
    calm = await hands.registers.read([("house", "calm")])
    sanctions = [_sanction(each) for each in standing.sanctions() if each.holds(now)]
    return {
        "event": hands.world.event, "lockdown": standing.lockdown, "lockdown_since": standing.lockdown_since,
        "lockdown_reason": standing.lockdown_reason, "calm": not isinstance(calm, Denied) and calm["house", "calm"],
        "sanctions": sanctions[:200], "sanctions_total": len(sanctions),
        "staff": [{"member": member, "role": role} for member, role in islice(standing.roles.items(), 200)],
        "second_person": sorted(hands.world.second), "version": hands.world.version,
    }  # fmt: skip


async def operator_list(hands: Hands, _args: a.Nothing, _order: Order) -> Found:
    store = hands.deeds.store
    tokens = [token.shown() for token in await store.tokens.list()]
    rows = [operator.shown() for operator in await store.operators.list()]
    return {**page(rows, 1_000, lambda row: None), "tokens": tokens[:200]}


async def session_list(hands: Hands, _args: a.Nothing, _order: Order) -> Found:
    return page([each.shown() for each in await hands.deeds.store.sessions.list()], 1_000, lambda row: None)


async def audit_page(hands: Hands, args: a.AuditPage, _order: Order) -> Found:
    rows = await hands.deeds.store.audit.page(args.before, args.limit + 1, args.operator, args.command)
    return page([row.shown() for row in rows], args.limit, lambda row: row["row"])


async def audit_verify(hands: Hands, _args: a.Nothing, _order: Order) -> Found:
    findings = await hands.deeds.store.audit.verify()
    shown = [{"row": finding.row, "what": finding.what} for finding in findings]
    return {**page(shown, 200, lambda row: None), "whole": not findings}


READERS: dict[str, Reader] = {
    "room.list": room_list,
    "room.show": room_show,
    "room.export": export_room,
    "member.list": member_list,
    "member.find": member_find,
    "member.show": member_show,
    "alert.list": alert_list,
    "alert.show": alert_show,
    "alert.ledger": alert_ledger,
    "alert.preview": alert_preview,
    "alert.export": alert_export,
    "act.list": act_list,
    "activity.page": activity_page,
    "timeline.show": timeline_show,
    "timeline.export": timeline_export,
    "report.list": report_list,
    "house.show": house_show,
    "operator.list": operator_list,
    "session.list": session_list,
    "audit.page": audit_page,
    "audit.verify": audit_verify,
}
