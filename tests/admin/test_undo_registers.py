"""Acts and undos in any order over a real house, against a model of it: after each step every register shows the last
act that still stands, and what people read is what the registers say. tests/admin/test_undo.py holds the layers alone
to that; a register that keeps more than one value can still get it wrong."""

import random
from typing import Any

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from tests.admin.office import Office, Person, open_office

MAIN = {"room": "main-stage"}
SEEDS = range(12)
STEPS = 30


@define
class Model:
    """Acts that stand, in the order in which they were done: name, and what each of them set."""

    standing: list[tuple[str, dict[str, Any]]] = field(factory=list)
    ground: dict[str, Any] = field(factory=dict)

    def shows(self, register: str) -> Any:
        values = [values[register] for _, values in self.standing if register in values]
        return values[-1] if values else self.ground.get(register)


@define
class Stage:
    office: Office
    guest: Person
    dice: random.Random
    model: Model = field(factory=Model)
    said: list[int] = field(factory=list)

    async def act(self) -> None:
        kind = self.dice.choice(
            ["freeze", "thaw", "slow", "close", "clear", "clear", "hide", "restore", "lockdown", "mute"]
        )
        member = {"member": self.guest.member}
        seq = self.dice.choice(self.said)
        match kind:
            case "freeze" | "thaw":
                await self.do(f"room.{kind}", MAIN, frozen=kind == "freeze")
            case "slow":
                seconds = float(self.dice.randrange(1, 4))
                await self.do("room.slow", MAIN | {"seconds": seconds}, slow=seconds)
            case "close":
                await self.do("room.close", MAIN, closed=True)
            case "clear":
                head = (await self.office.room())["head"]
                await self.do("room.clear", MAIN, cleared=head)
            case "hide" | "restore":
                await self.do(f"message.{kind}", MAIN | {"seq": seq}, **{f"hidden {seq}": kind == "hide"})
            case "lockdown":
                level = self.dice.randrange(2, 6)
                await self.do("house.lockdown", {"level": level}, lockdown=level)
            case "mute":
                await self.do("member.mute", member, muted=True)

    async def do(self, name: str, args: dict[str, Any], **values: Any) -> None:
        done = await self.office.do(name, args, reason=f"{name} {self.dice.random():.6f}")
        self.model.standing.append((done.act, values))

    async def undo(self) -> None:
        name, _ = self.dice.choice(self.model.standing)
        await self.office.do("act.undo", {"act": name})
        self.model.standing = [each for each in self.model.standing if each[0] != name]

    async def say(self) -> None:
        """By somebody whom no rule stops, so that there is always something new to be cleared."""
        stored = await self.office.post(self.guest, f"words {len(self.said)}")
        if hasattr(stored, "seq"):
            self.said.append(stored.seq)

    async def check(self) -> None:
        shown, model = await self.office.room(), self.model
        assert shown["frozen"] == bool(model.shows("frozen"))
        assert shown["slow_s"] == (model.shows("slow") or 0.0)
        assert shown["closed"] == bool(model.shows("closed"))
        standing = self.office.house.standing
        assert standing.lockdown == (model.shows("lockdown") or 5)
        assert [each.kind for each in standing.sanctions()] == (["mute"] if model.shows("muted") else [])
        page = await self.office.house.log.read(MAIN["room"], after=0, before=None, limit=200, max_bytes=99_999)  # type: ignore[arg-type]
        words = {entry.seq: getattr(entry.body, "text", None) for entry in page.entries}
        upto = model.shows("cleared") or 0
        for n, seq in enumerate(self.said):
            gone = seq <= upto or bool(model.shows(f"hidden {seq}"))
            assert words[seq] == (None if gone else f"words {n}"), f"message {seq}"


@pytest.mark.parametrize("seed", SEEDS)
async def test_registers_of_a_house_show_the_last_act_that_stands(seed: int, autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        office.house.standing.roles[guest.member] = "staff"
        stage = Stage(office, guest, random.Random(seed))
        await stage.say()
        for _ in range(STEPS):
            await stage.dice.choice(
                [stage.act, stage.act, stage.say, stage.undo if stage.model.standing else stage.act]
            )()
            await stage.check()
        while stage.model.standing:
            await stage.undo()
            await stage.check()
        assert stage.model.standing == []


async def test_two_clearings_undone_in_either_order_bring_everything_back(autojump_clock: MockClock) -> None:
    """The first one undone first was left in the log, under the second: its messages stayed hidden for good."""
    for oldest_first in (True, False):
        async with open_office() as office:
            guest = await office.come(1, "main-stage")
            acts = []
            for text in ("one", "two"):
                await office.post(guest, text)
                acts.append((await office.do("room.clear", MAIN)).act)
            for act in acts if oldest_first else reversed(acts):
                await office.do("act.undo", {"act": act})
            assert await office.texts() == ["one", "two"]
            await trio.sleep(700)
            assert await office.texts() == ["one", "two"]


async def test_undo_of_a_freeze_leaves_the_reason_of_the_slow_mode_below(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        await office.do("room.slow", MAIN | {"seconds": 10}, reason="spam")
        frozen = await office.do("room.freeze", MAIN, reason="fight")
        assert (await office.room())["reason"] == "fight"
        await office.do("act.undo", {"act": frozen.act}, reason="oops, wrong room")
        assert (await office.room())["reason"] == "spam"


async def test_people_are_told_until_when_a_timed_freeze_holds(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        now = office.house.clock.now().wall

        async def until() -> float | None:
            census = await office.ops._hands.rooms.census(MAIN["room"])  # type: ignore[union-attr, arg-type]
            found: float | None = census.policy.expires  # type: ignore[union-attr]
            return found

        await office.do("room.freeze", MAIN, ttl_s=600.0)
        assert await until() == pytest.approx(now + 600, abs=5)
        await trio.sleep(610)
        assert (await until(), (await office.room())["frozen"]) == (None, False)
        await office.do("room.slow", MAIN | {"seconds": 5})
        await office.do("room.freeze", MAIN, ttl_s=600.0)
        assert await until() is None, "the rules of a room end together, and the slow mode is to stay"
        await trio.sleep(610)
        shown = await office.room()
        assert (shown["frozen"], shown["slow_s"]) == (False, 5.0)


async def test_a_capacity_is_taken_away_again(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        usual = (await office.room())["capacity"]
        await office.do("room.update", MAIN | {"capacity": 10})
        assert (await office.room())["capacity"] == 10
        await office.do("room.update", MAIN | {"capacity": 0})
        assert (await office.room())["capacity"] == usual
