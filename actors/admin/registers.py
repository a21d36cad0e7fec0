"""The house as registers that acts write and undos put back: (scope, field) -> a JSON value.

    room:<name>         frozen slow_s closed capacity reason expires | title code zone official | pinned cleared deleted
    message:<room>/<n>  hidden
    member:<id>         role badge nickname erased revoked | mute:<room> ban:<room>   (room "" = the whole house)
    address:<address>   ban
    house               lockdown since reason | calm
    report:<id>         outcome
    help:<alert>/<id>   done

Each family reads and writes its own; this module only finds the family."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from attrs import frozen

from actors.admin.orders import Denied
from actors.admin.undo import Change, Key, Value
from actors.admin.world import Mark, for_each


class Family(Protocol):
    """Registers of one scope. `rest`: the scope without the family's own prefix."""

    async def read(self, rest: str, names: tuple[str, ...]) -> dict[str, Value] | Denied: ...

    async def write(self, rest: str, values: Mapping[str, Value], mark: Mark) -> int | Denied:
        """The revision of the rules afterwards (0 where none were written). Writing twice under one mark is writing
        once."""
        ...

    def recall(self, rest: str, name: str, value: Value) -> None:
        """After a start: this is what the acts have left there. For registers that only acts know."""
        return

    async def withdraw(self, rest: str, name: str, value: Value, mark: Mark) -> None:
        """The act that wrote this was taken out from under another one: nothing changes now, nor is it to come back."""
        return


@frozen
class Registers:
    families: Mapping[str, Family]
    """By the part of the scope before the colon."""

    async def read(self, keys: Iterable[Key]) -> dict[Key, Value] | Denied:
        grouped = _by_scope(keys)
        found: dict[Key, Value] = {}

        async def one(scope: str) -> Denied | None:
            family, rest = self._family(scope)
            values = await family.read(rest, grouped[scope])
            if isinstance(values, Denied):
                return values
            found.update({(scope, name): values[name] for name in grouped[scope]})
            return None

        failed = await for_each(grouped, one)
        return next(iter(failed.values()), found)

    async def write(self, values: Mapping[Key, Value], mark: Mark) -> int | Denied:
        """Scope by scope, several at a time. Denied: some of it may have been written."""
        grouped = _by_scope(values)
        revs = [0]

        async def one(scope: str) -> Denied | None:
            family, rest = self._family(scope)
            done = await family.write(rest, {name: values[scope, name] for name in grouped[scope]}, mark)
            if isinstance(done, Denied):
                return done
            revs.append(done)
            return None

        failed = await for_each(grouped, one)
        return next(iter(failed.values()), max(revs))

    async def changes(self, wanted: Mapping[Key, Value]) -> tuple[Change, ...] | Denied:
        """What writing `wanted` would change, with what stands there now."""
        now = await self.read(wanted)
        if isinstance(now, Denied):
            return now
        return tuple(Change(*key, now[key], value) for key, value in wanted.items())

    def recall(self, key: Key, value: Value) -> None:
        family, rest = self._family(key[0])
        family.recall(rest, key[1], value)

    async def withdraw(self, key: Key, value: Value, mark: Mark) -> None:
        family, rest = self._family(key[0])
        await family.withdraw(rest, key[1], value, mark)

    def _family(self, scope: str) -> tuple[Family, str]:
        prefix, _, rest = scope.partition(":")
        return self.families[prefix], rest


def _by_scope(keys: Iterable[Key]) -> dict[str, tuple[str, ...]]:
    grouped: dict[str, tuple[str, ...]] = {}
    for scope, name in keys:
        grouped[scope] = (*grouped.get(scope, ()), name)
    return grouped
