"""Acts as orders see them: what was ordered, what it changed, how it ended, what is left to do. Kept in the store's
table of acts, with what only an undo needs in its `undo`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from attrs import asdict, field, frozen

from actors.admin.acts import Act, ActState, CidReused, digest_of
from actors.admin.orders import Outcome, UndoKind
from actors.admin.store import AdminStore
from actors.admin.store_audit import Entry

Row = list[Any]
MOVES = ("room.evacuate", "room.return")


class Phase(StrEnum):
    BEGUN = "begun"
    """The intention; how it ended is not known yet."""
    OPEN = "open"
    """Done, and can be undone."""
    FINAL = "final"
    UNDONE = "undone"
    FAILED = "failed"


STATES = {
    Phase.BEGUN: ActState.BEGUN,
    Phase.OPEN: ActState.DONE,
    Phase.FINAL: ActState.SETTLED,
    Phase.UNDONE: ActState.UNDONE,
}
PHASES = {state: phase for phase, state in STATES.items()}


@frozen
class Deed:
    """`changes`: rows of actors/admin/undo.py. `repeat`: may be done again where it is not known whether it was."""

    act: str
    name: str
    operator: str
    cid: str
    raw: dict[str, Any]
    reason: str
    at: float
    repeat: bool = True
    changes: list[Row] = field(factory=list)
    undo: UndoKind = UndoKind.NONE
    undo_until: float | None = None
    lift_at: float | None = None
    extra: Mapping[str, Any] = field(factory=dict)
    outcome: Outcome | None = None
    phase: Phase = Phase.BEGUN
    undone_by: str = ""
    n: int = 0

    @property
    def open_until(self) -> float | None:
        """Until when it can be undone: one that was given for a time is undone when that is over. None: never."""
        if self.undo_until is None or self.lift_at is None:
            return self.undo_until
        return min(self.undo_until, self.lift_at)

    def shown(self) -> dict[str, Any]:
        """As `act.list` tells it."""
        return {
            "n": self.n, "act": self.act, "at": self.at, "operator": self.operator, "name": self.name,
            "command": self.name, "args": self.raw, "reason": self.reason, "state": self.phase.value,
            "undo": self.undo.value, "undo_until": self.open_until, "lift_at": self.lift_at,
            "undone": self.phase is Phase.UNDONE, "undone_by": self.undone_by,
            "affected": 0 if self.outcome is None else self.outcome.affected,
        }  # fmt: skip


@frozen
class Deeds:
    """Durable. Raises StoreFailed."""

    store: AdminStore

    async def get(self, act: str) -> Deed | None:
        found = await self.store.acts.get(act)
        return None if found is None else _deed(found)

    async def begin(self, deed: Deed) -> Deed | CidReused | None:
        """None: it stands as begun. Otherwise what was done under this cid before, and nothing is written."""
        found = await self.store.acts.begin(_act(deed))
        return _deed(found) if isinstance(found, Act) else found

    async def finish(self, deed: Deed, *entries: Entry) -> None:
        """Replaces what was kept of it. `entries`: its rows in the audit, together with it or not at all."""
        if deed.phase is Phase.FAILED:
            await self.store.acts.drop(deed.act)
        else:
            await self.store.recorded(lambda _: entries).acts.save(_act(deed))

    async def unfinished(self) -> list[Deed]:
        """Begun or open, in the order in which they were begun."""
        acts = (*await self.store.acts.begun(), *await self.store.acts.undoable(0.0))
        return [_deed(act) for act in sorted(acts, key=lambda act: act.n)]

    async def since(self, deed: Deed) -> list[Deed]:
        """What was begun after it, however it ended."""
        return [_deed(act) for act in await self.store.acts.since(deed.n)]

    async def page(self, before: int | None, limit: int, operator: str = "") -> list[Deed]:
        return [_deed(act) for act in await self.store.acts.page(before, limit, operator)]

    async def evacuation(self, room: str) -> Deed | None:
        """The room's last evacuation, unless its people were called back since."""
        found = await self.store.acts.last_of(MOVES, room)
        return None if found is None or found.command != MOVES[0] else _deed(found)

    async def audit(self, entry: Entry) -> None:
        await self.store.audit.record(entry)


def _act(deed: Deed) -> Act:
    return Act(
        act=deed.act,
        operator=deed.operator,
        cid=deed.cid,
        digest=digest_of(deed.name, deed.raw),
        at=deed.at,
        command=deed.name,
        body=deed.raw,
        outcome=None if deed.outcome is None else {**asdict(deed.outcome), "undo": deed.outcome.undo.value},
        undo={
            "kind": deed.undo.value, "changes": deed.changes, "reason": deed.reason, "repeat": deed.repeat,
            "lift_at": deed.lift_at, "extra": dict(deed.extra), "undone_by": deed.undone_by,
        },
        undo_until=deed.undo_until,
        state=STATES[deed.phase],
    )  # fmt: skip


def _deed(act: Act) -> Deed:
    kept = act.undo or {}
    outcome = None if act.outcome is None else Outcome(**{**act.outcome, "undo": UndoKind(act.outcome["undo"])})
    return Deed(
        act=act.act,
        name=act.command,
        operator=act.operator,
        cid=act.cid,
        raw=dict(act.body),
        reason=kept.get("reason", ""),
        at=act.at,
        repeat=kept.get("repeat", True),
        changes=kept.get("changes", []),
        undo=UndoKind(kept.get("kind", "none")),
        undo_until=act.undo_until,
        lift_at=kept.get("lift_at"),
        extra=kept.get("extra", {}),
        outcome=outcome,
        phase=PHASES[act.state],
        undone_by=kept.get("undone_by", ""),
        n=act.n,
    )
