"""A room as lines for a terminal. Whatever people wrote is made harmless first: a message can ring no bell, move no
cursor, start no line that looks like somebody else's, and turn no text around."""

import time
from math import ceil
from unicodedata import category

from attrs import asdict

from bandstand.client import (
    AlertNotice,
    Behind,
    CaughtUp,
    Cleared,
    ConnectionState,
    Deleted,
    Edited,
    Event,
    Gap,
    Hidden,
    HistoryPage,
    MembersPage,
    Message,
    Moved,
    Notice,
    Policy,
    PolicyChanged,
    PrivateNote,
    Reactions,
    Refused,
    Removed,
    Restored,
    RulesNow,
    State,
    TakenOut,
)
from gateway.units import as_duration

ZERO_WIDTH_JOINER = "\u200d"  # Holds emoji together.
HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain(text: str) -> str:
    """On one line, every control, direction or invisible character as its escape."""
    return "".join(_shown(each) for each in text)


def _shown(each: str) -> str:
    if each == "\n":
        return " ⏎ "
    if each == ZERO_WIDTH_JOINER or category(each) not in HARMFUL:
        return each
    return each.encode("unicode_escape").decode("ascii")


def clock(ts: float) -> str:
    return time.strftime("%H:%M", time.localtime(ts))


def moment(ts: float) -> str:
    """A clock time, with its day where that is not today."""
    there = time.localtime(ts)
    today = there[:3] == time.localtime()[:3]
    return clock(ts) if today else time.strftime("%a %d %H:%M", there)


def line(event: Event) -> str | None:
    """None: not worth a line."""
    match event:
        case Message(seq=seq, ts=ts, nickname=name, text=text):
            answers = f" (to #{event.reply_to})" if event.reply_to else ""
            edited = " (edited)" if event.edited else ""
            return f"{clock(ts)} #{seq} {plain(name)}{answers}: {plain(text)}{edited}"
        case Edited(deleted=True):
            return None
        case Edited(target=target, text=text, ts=ts):
            return f"{clock(ts)} #{target} now reads: {plain(text)}"
        case Deleted(target=target, ts=ts):
            return f"{clock(ts)} #{target} was removed"
        case Removed(seq=seq, ts=ts, hidden=True):
            return f"{clock(ts)} #{seq} (hidden by the organisers)"
        case Removed(seq=seq, ts=ts):
            return f"{clock(ts)} #{seq} (removed)"
        case PolicyChanged(ts=ts, policy=policy):
            return f"{clock(ts)} -- {rules(policy)}"
        case Gap(start=start, end=end, why=why):
            return gap(start, end, why)
        case Reactions(seq=seq, counts=counts):
            said = " ".join(f"{plain(emoji)} {count}" for emoji, count in counts.items())
            return f"      #{seq} {said or 'no reactions any more'}"
        case _:
            return order(event)


def order(event: Event) -> str | None:
    """What the organisers did."""
    match event:
        case Hidden(target=target, ts=ts):
            return f"{clock(ts)} #{target} was hidden by the organisers"
        case Restored(target=target, ts=ts):
            return f"{clock(ts)} #{target} is shown again"
        case Cleared(upto=upto, ts=ts, erased=False):
            return f"{clock(ts)} -- everything up to #{upto} was taken away by the organisers"
        case Notice(ts=ts, text=text):
            return f"{clock(ts)} ** {plain(text)}"
        case PrivateNote(ts=ts, text=text):
            return f"{clock(ts)} ** to you alone: {plain(text)}"
        case Moved(ts=ts, to=to, reason=reason):
            return f"{clock(ts)} -- this room moves to {plain(to)}{f': {plain(reason)}' if reason else ''}"
        case AlertNotice(ts=ts, headline=headline, status=status):
            word = {"exercise": "DRILL", "test": "TEST"}.get(status, "ALERT")
            return f"{clock(ts)} {word}: {plain(headline)}"
        case RulesNow(policy=policy):
            return f"-- {rules(policy)}"
        case TakenOut(reason=reason, to=to):
            because = f": {plain(reason)}" if reason else ""
            return f"-- you have been taken out of this room{because}" + (f"; go to {plain(to)}" if to else "")
        case _:
            return None


def gap(start: int, end: int, why: str) -> str | None:
    if end < start:
        return "-- the room has begun anew" if why == "epoch" else None
    which = f"#{start}" if start == end else f"#{start} to #{end}"
    kept = (
        "and are no longer kept" if why == "trimmed" else f"(/history {min(200, end - start + 1)} {end + 1} shows them)"
    )
    return f"-- {which}: not shown {kept}"


LOCKDOWN = ("only staff may write now", "only people who were here before may write now", "slow everywhere, no links")
"""Levels 1 to 3; 4 is only about new rooms."""


def rules(policy: Policy) -> str:
    because = f": {plain(policy.reason)}" if policy.reason else ""
    until = f" until {clock(policy.expires)}" if policy.expires else ""
    if policy.closed:
        return f"this room is closed{because}"
    if policy.frozen:
        return f"this room is paused{until}{because}"
    if policy.lockdown <= len(LOCKDOWN):
        return LOCKDOWN[policy.lockdown - 1] + because
    if policy.slow_s:
        return f"slow mode{until}: one message every {policy.slow_s:g} s{because}"
    return "everybody may speak"


def remark(event: Event, waiting: int) -> str | None:
    """What the connection does, for stderr."""
    queue = f", {waiting} waiting" if waiting else ""
    match event:
        case ConnectionState(state=State.OFFLINE, since=since, why=why, retry_s=retry_s):
            again = f"; next try in {retry_s:.0f} s" if retry_s and retry_s >= 1 else ""
            return f"-- offline since {clock(since)}{queue} ({plain(why) or 'the connection was lost'}){again}"
        case ConnectionState(state=State.ONLINE):
            return f"-- online{queue}"
        case Behind():
            return "-- this line is slow; what is missing comes later"
        case CaughtUp():
            return None
        case _:
            return None


def refusal(refused: Refused) -> str:
    after = (
        "" if refused.retry_after_ms is None else f"; try again in {as_duration(ceil(refused.retry_after_ms / 1000))}"
    )
    return plain(str(refused)) + after


def record(event: Event | HistoryPage | MembersPage) -> dict[str, object]:
    """For programs: one JSON document an event."""
    return {"event": type(event).__name__, **asdict(event, value_serializer=lambda _, __, v: getattr(v, "value", v))}
