"""Which orders that changed nothing get a row of their own in the audit. It is kept for ever, so whoever gives orders
that are refused, as fast as may be, must not fill the disk with them. Pure."""

from collections.abc import Mapping

from attrs import define, evolve, field

from actors.admin.audit import canonical
from actors.admin.store_audit import Entry

MINUTE_S = 60.0
EACH = 20
"""Of one operator within a minute; those that follow are counted."""
ARGS_MOST = 1_000
"""Characters of the arguments of such an order."""
COMMAND = "refused"
MANY = "many"


@define
class _Minute:
    began: float
    count: int = 0


@define
class Refusals:
    """Refusals and dry runs, by operator. `now` rises."""

    _minutes: dict[str, _Minute] = field(init=False, factory=dict)

    def note(self, entry: Entry, now: float) -> list[Entry]:
        """What is to be recorded now."""
        rows = self.over(now)
        minute = self._minutes.setdefault(entry.operator, _Minute(now))
        minute.count += 1
        return rows if minute.count > EACH else [*rows, evolve(entry, args=_short(entry.args))]

    def over(self, now: float) -> list[Entry]:
        """How many were only counted in minutes that are over."""
        ended = [(who, each) for who, each in self._minutes.items() if now - each.began >= MINUTE_S]
        for who, _ in ended:
            del self._minutes[who]
        return [
            Entry(who, MANY, COMMAND, {"count": each.count - EACH, "within_s": MINUTE_S}, result=MANY)
            for who, each in ended
            if each.count > EACH
        ]


def _short(args: Mapping[str, object]) -> Mapping[str, object]:
    text = canonical(dict(args))
    return args if len(text) <= ARGS_MOST else {"cut": text[:ARGS_MOST], "characters": len(text)}
