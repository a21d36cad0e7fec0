"""Undo against a model: a register shows what the last act wrote that has not been undone, whatever the order."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.admin.undo import Change, Key, Layers, Left, from_row, to_row

FIELDS = [("room:main", "frozen"), ("room:main", "slow_s"), ("house", "lockdown")]
GROUND: dict[Key, Any] = dict.fromkeys(FIELDS, 0)


class House:
    """Registers in a dict, and acts and undos on them as the executor does them."""

    def __init__(self) -> None:
        self.now = dict(GROUND)
        self.layers = Layers()
        self.done: list[tuple[str, dict[Key, int]]] = []
        self.final: set[str] = set()

    def act(self, name: str, values: dict[Key, int]) -> None:
        changes = [Change(*key, self.now[key], value) for key, value in values.items()]
        self.now |= values
        self.layers.lay(name, changes)
        self.done.append((name, values))

    def undo(self, name: str) -> tuple[Left, ...]:
        restoring = self.layers.restoring([name], self.now)
        self.now |= restoring.values
        self.layers.take_out(name)
        self.done = [each for each in self.done if each[0] != name]
        return restoring.left

    def expected(self) -> dict[Key, int]:
        shown = dict(GROUND)
        for _, values in self.done:
            shown |= values
        return shown


acts = st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 3), min_size=1)
steps = st.lists(st.one_of(acts, st.integers(0, 30), st.tuples(st.integers(0, 30))), max_size=40)


@given(steps)
def test_overlapping_acts_and_undos_in_any_order_leave_what_the_model_shows(steps: list[Any]) -> None:
    house = House()
    for number, step in enumerate(steps):
        open_acts = [name for name, _ in house.done if name not in house.final]
        if isinstance(step, dict):
            house.act(f"act_{number}", step)
        elif open_acts and isinstance(step, int):
            house.undo(open_acts[step % len(open_acts)])
        elif open_acts:
            name = open_acts[step[0] % len(open_acts)]
            house.layers.settle(name)
            house.final.add(name)
        assert house.now == house.expected()
        for key in FIELDS:
            top = house.layers.last(key)
            writers = [name for name, values in house.done if key in values]
            assert top == "" or top == writers[-1]
            assert house.layers.of(key) == tuple(name for name in writers if name not in house.final)


@given(st.lists(acts, min_size=1, max_size=8), st.randoms())
def test_all_acts_undone_in_any_order_leave_the_ground(all_acts: list[dict[Key, int]], random: Any) -> None:
    house = House()
    for number, values in enumerate(all_acts):
        house.act(f"act_{number}", values)
    names = [name for name, _ in house.done]
    random.shuffle(names)
    for name in names:
        house.undo(name)
    assert house.now == GROUND
    assert not any(house.layers.last(key) for key in FIELDS)


@given(st.lists(acts, min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_several_taken_out_together_leave_what_one_after_the_other_does(
    all_acts: list[dict[Key, int]], which: set[int]
) -> None:
    together, singly = House(), House()
    for number, values in enumerate(all_acts):
        together.act(f"act_{number}", values)
        singly.act(f"act_{number}", values)
    names = [f"act_{number}" for number in which if number < len(all_acts)]
    together.now |= together.layers.restoring(names, together.now).values
    for name in names:
        singly.undo(name)
    assert together.now == singly.now


def test_an_undo_restores_only_what_its_act_changed() -> None:
    house = House()
    house.act("freeze", {FIELDS[0]: 1})
    house.act("slow", {FIELDS[1]: 10})
    assert house.undo("freeze") == ()
    assert house.now[FIELDS[0]] == 0
    assert house.now[FIELDS[1]] == 10


def test_what_a_later_act_wrote_is_left_and_said() -> None:
    house = House()
    house.act("slow", {FIELDS[1]: 5})
    house.act("slower", {FIELDS[1]: 10})
    assert house.undo("slow") == (Left(FIELDS[1], 10, "slower"),)
    assert house.now[FIELDS[1]] == 10
    house.undo("slower")
    assert house.now[FIELDS[1]] == 0, "not 5: that act was undone as well"


def test_what_changed_without_an_act_is_left_and_said() -> None:
    house = House()
    house.act("freeze", {FIELDS[0]: 1})
    house.now[FIELDS[0]] = 2
    assert house.undo("freeze") == (Left(FIELDS[0], 2, ""),)
    assert house.now[FIELDS[0]] == 2


def test_the_acts_that_now_lie_on_something_else_are_told_to_be_stored() -> None:
    house = House()
    house.act("slow", {FIELDS[1]: 5})
    house.act("slower", {FIELDS[1]: 10})
    moved = house.layers.take_out("slow")
    assert moved == {"slower": (Change(*FIELDS[1], 0, 10),)}
    assert from_row(to_row(moved["slower"])) == moved["slower"]


def test_an_act_that_is_final_is_ground_for_earlier_and_later_ones() -> None:
    house = House()
    house.act("first", {FIELDS[1]: 5})
    house.act("second", {FIELDS[1]: 10})
    house.act("third", {FIELDS[1]: 20})
    house.layers.settle("second")
    house.undo("first")
    assert house.now[FIELDS[1]] == 20
    house.undo("third")
    assert house.now[FIELDS[1]] == 10
