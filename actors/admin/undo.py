"""Who set what, and what an undo may put back. Pure.

The house is seen as registers ("room:main-stage", "frozen"). An act is a set of changes, each laid over what stood
there before, like a sheet of paper over the one below. To undo an act takes its sheets out: where one lies on top, the
next one below shows again (or the ground, when there is none); where another act has written over it, nothing is to be
seen but the later act's value, and the undo says so. So acts and undos may come in any order, and each undo changes
only what its act changed."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from attrs import define, field, frozen

Key = tuple[str, str]
"""(scope, field)."""
Value = Any
"""JSON."""

BESIDE = ("reason", "expires", "since")
"""Registers that go along with others; who reads what an act has changed need not be told."""


@frozen
class Change:
    scope: str
    name: str
    before: Value
    after: Value

    @property
    def key(self) -> Key:
        return self.scope, self.name


@frozen
class Left:
    """A register that an undo leaves alone, and why: `by` the later act that set it ("" = changed without an act)."""

    key: Key
    value: Value
    by: str


@frozen
class Restoring:
    """What an undo is to write, and what it leaves."""

    values: dict[Key, Value]
    left: tuple[Left, ...]


@define
class _Sheet:
    act: str
    change: Change


@define
class Layers:
    """All acts that can still be undone, in the order in which they were done."""

    _sheets: dict[Key, list[_Sheet]] = field(init=False, factory=dict)
    _acts: dict[str, tuple[Change, ...]] = field(init=False, factory=dict)

    def __contains__(self, act: str) -> bool:
        return act in self._acts

    def lay(self, act: str, changes: Iterable[Change]) -> None:
        """The act has been done. Again is nothing."""
        if act in self._acts:
            return
        self._acts[act] = tuple(changes)
        for change in self._acts[act]:
            self._sheets.setdefault(change.key, []).append(_Sheet(act, change))

    def changes(self, act: str) -> tuple[Change, ...]:
        return self._acts.get(act, ())

    def of(self, key: Key) -> tuple[str, ...]:
        """The acts that have written it and can still be undone, the last one last."""
        return tuple(sheet.act for sheet in self._sheets.get(key, ()) if sheet.act)

    def last(self, key: Key) -> str:
        """The act whose value shows; "" when none that can be undone does."""
        sheets = self._sheets.get(key)
        return sheets[-1].act if sheets else ""

    def restoring(self, acts: Collection[str], now: Mapping[Key, Value]) -> Restoring:
        """What taking them out together would write, given what the registers hold `now`. Changes nothing."""
        values: dict[Key, Value] = {}
        left: list[Left] = []
        for key in dict.fromkeys(change.key for act in acts for change in self._acts.get(act, ())):
            sheets = self._sheets[key]
            shown = next((place for place in reversed(range(len(sheets))) if sheets[place].act not in acts), -1)
            top = sheets[-1]
            if shown == len(sheets) - 1:
                left.append(Left(key, top.change.after, top.act))
            elif now.get(key) != top.change.after:
                left.append(Left(key, now.get(key), ""))
            else:
                values[key] = sheets[shown + 1].change.before
        return Restoring(values, tuple(left))

    def take_out(self, act: str) -> dict[str, tuple[Change, ...]]:
        """The act is undone. Returns the acts whose changes now lie on something else, to be stored anew."""
        moved: set[str] = set()
        for change in self._acts.pop(act, ()):
            sheets = self._sheets[change.key]
            at = next(place for place, sheet in enumerate(sheets) if sheet.act == act)
            if at + 1 < len(sheets):
                self._rebase(sheets[at + 1], change.before)
                moved.add(sheets[at + 1].act)
            del sheets[at]
            self._clear_ground(change.key)
        moved.discard("")
        return {each: self._acts[each] for each in moved}

    def settle(self, act: str) -> None:
        """It can no longer be undone: what it wrote is ground for whatever came later."""
        for change in self._acts.pop(act, ()):
            for sheet in self._sheets[change.key]:
                if sheet.act == act:
                    sheet.act = ""
            self._clear_ground(change.key)

    def _rebase(self, sheet: _Sheet, before: Value) -> None:
        old = sheet.change
        sheet.change = Change(old.scope, old.name, before, old.after)
        if sheet.act:
            self._acts[sheet.act] = tuple(
                sheet.change if each.key == old.key else each for each in self._acts[sheet.act]
            )

    def _clear_ground(self, key: Key) -> None:
        sheets = self._sheets[key]
        while sheets and not sheets[0].act:
            del sheets[0]
        if not sheets:
            del self._sheets[key]


def to_row(changes: Iterable[Change]) -> list[list[Value]]:
    return [[each.scope, each.name, each.before, each.after] for each in changes]


def from_row(row: Iterable[Iterable[Value]]) -> tuple[Change, ...]:
    return tuple(Change(*each) for each in row)
