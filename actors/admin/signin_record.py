"""Which sign-ins get a row of their own in the audit. It is kept for ever, so whoever tries passwords all night must
not fill the disk with it. Pure."""

from attrs import define, evolve, field, frozen

from actors.admin.store_audit import Entry

MINUTE_S = 60.0
SOURCES = 20
"""Told apart within a minute. So there are some forty rows a minute at most, whoever tries from wherever."""
MANY = "many"
"""Instead of an address."""
COMMAND = "session.begin"


@frozen
class Try:
    """`operator`: "" where nobody has that name, since what was typed there may have been the password. `by`: password,
    token, session or setup. `result`: ok, or why not."""

    operator: str
    address: str
    by: str
    result: str
    count: int = 1

    def entry(self) -> Entry:
        count = {"count": self.count, "within_s": MINUTE_S} if self.count > 1 else {}
        return Entry(self.operator, self.address, COMMAND, {"by": self.by, **count}, result=self.result)

    @property
    def source(self) -> tuple[str, str, str, str]:
        """A lockout is of one name; elsewhere the names that were tried do not make more sources."""
        named = self.operator if self.result in ("ok", "locked_out") else ""
        return self.address, self.by, self.result, named


@define
class _Minute:
    began: float
    of: Try
    more: int = 0


@define
class Tries:
    """The first try of a source is recorded at once; those that follow within a minute are counted, and their number is
    a row at its end. `now` rises."""

    limit: int = SOURCES
    _minutes: dict[tuple[str, str, str, str], _Minute] = field(init=False, factory=dict)

    def __len__(self) -> int:
        return len(self._minutes)

    def note(self, one: Try, now: float) -> Try | None:
        """What is to be recorded now; None: it was counted."""
        if one.source not in self._minutes and len(self._minutes) >= self.limit:
            one = evolve(one, operator="", address=MANY)
        minute = self._minutes.get(one.source)
        if minute is None:
            self._minutes[one.source] = _Minute(now, one)
            return one
        minute.more += 1
        if one.operator != minute.of.operator:
            minute.of = evolve(minute.of, operator="")
        return None

    def over(self, now: float) -> list[Try]:
        """What was counted in minutes that are over. A source that goes on has another minute at once."""
        rows = []
        for source, minute in list(self._minutes.items()):
            if now - minute.began < MINUTE_S:
                continue
            if minute.more:
                rows.append(evolve(minute.of, count=minute.more))
                minute.began, minute.more = now, 0
            else:
                del self._minutes[source]
        return rows

    def unrecorded(self, one: Try, now: float) -> None:
        """The disk would not have it: it counts for the next row."""
        minute = self._minutes.setdefault(one.source, _Minute(now, one))
        minute.more += one.count
