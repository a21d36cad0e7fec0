"""What a crash interrupted is finished at the next start, and all that can still be undone is known again."""

from collections.abc import Callable, Sequence

from attrs import evolve

from actors.admin import recording
from actors.admin.deeds import Deed, Phase
from actors.admin.executor_rooms import send_away
from actors.admin.orders import Denied, Outcome, UndoKind
from actors.admin.plans import Hands, public
from actors.admin.undo import Key, Layers, Value, from_row
from actors.admin.undoing import Undoing, undone_by
from actors.admin.world import Mark
from actors.names import RoomName


async def take_up(hands: Hands, layers: Layers, undoing: Undoing, due: Callable[[Deed], None]) -> None:
    """The acts in the order in which they were begun, so that each lies where it lay; then what was interrupted."""
    deeds = await hands.deeds.unfinished()
    for deed in deeds:
        changes = from_row(deed.changes)
        if deed.undo is UndoKind.EXACT:
            layers.lay(deed.act, changes)
        if deed.phase is Phase.OPEN:
            due(deed)
            for change in changes:
                hands.registers.recall(change.key, change.after)
    for deed in deeds:
        if deed.phase is not Phase.BEGUN:
            continue
        if not deed.repeat:
            await _nobody_knows(hands, deed)
            continue
        done = await _finish(hands, undoing, deed, _showing(deed, await hands.deeds.since(deed)))
        if done is not None and done.phase is Phase.OPEN:
            due(done)


def _showing(deed: Deed, later: Sequence[Deed]) -> dict[Key, Value]:
    """What it wrote, but for what another one has written over since, though that be settled or undone by now."""
    over = {change.key for each in later for change in from_row(each.changes)}
    return {change.key: change.after for change in from_row(deed.changes) if change.key not in over}


async def _finish(hands: Hands, undoing: Undoing, deed: Deed, values: dict[Key, Value]) -> Deed | None:
    """Writes once more, which is the same as once. None: not now, or there is nothing that is known to be left."""
    undone = undone_by(deed)
    if not deed.changes and not undone:
        await _nobody_knows(hands, deed)
        return None
    mark = Mark(deed.act, deed.operator, deed.reason, deed.at)
    if isinstance(await hands.registers.write(values, mark), Denied):
        return None
    if deed.name == "room.evacuate" and isinstance(await _send_away(hands, deed, mark), Denied):
        return None
    for act in undone:
        each = await hands.deeds.get(act)
        if each is not None and each.phase is Phase.OPEN:
            await undoing.taken_out(each, mark)
    detail = {**public(deed.extra), "finished_late": True}
    outcome = Outcome(deed.act, 0, 0, deed.undo, deed.open_until, detail=detail)
    done = evolve(deed, outcome=outcome, phase=Phase.OPEN if deed.undo is UndoKind.EXACT else Phase.FINAL)
    await hands.deeds.finish(done, recording.entry_later(done, recording.LATE))
    recording.tell_later(hands.world, done, recording.LATE)
    return done


async def _send_away(hands: Hands, deed: Deed, mark: Mark) -> object:
    return await send_away(hands, RoomName(deed.raw["room"]), RoomName(deed.raw["to"]), mark)


async def _nobody_knows(hands: Hands, deed: Deed) -> None:
    """Once: it stays as it is, for whoever gives it again."""
    if deed.extra.get("told"):
        return
    told = evolve(deed, extra={**deed.extra, "told": True})
    await hands.deeds.finish(told, recording.entry_later(deed, recording.UNKNOWN))
    recording.tell_later(hands.world, deed, recording.UNKNOWN)
