"""Every command by every role: refused exactly where the table says, and refused before anything is looked at."""

from collections.abc import Mapping
from typing import Any

import pytest
from trio.testing import MockClock

from actors.admin.commands import TABLE, read_args
from actors.admin.executors import PLANNERS
from actors.admin.orders import Denied, Spec, UndoKind
from actors.admin.parsing import describe
from actors.admin.reads import READERS
from actors.admin.roles import Role
from actors.names import member_of
from tests.admin.office import Office, open_office

MEMBER = str(member_of(bytes(16)))
ALERT = {
    "severity": "extreme", "urgency": "immediate", "certainty": "observed", "response": "evacuate",
    "headline": "Storm", "expires_s": 600, "all": True,
}  # fmt: skip
ARGS: dict[str, Any] = {
    "room": "main-stage", "to": "quiet-room", "seconds": 5, "seq": 1, "member": MEMBER, "text": "hello",
    "nickname": "Robin", "level": 4, "act": "act_1", "report": "1", "alert": "A001-AAA", "changes": {"headline": "x"},
    "name": "robin", "session": "s_1", "token": "t_1", "pending": "p_1", "xml": "<alert/>",
    "address": "192.0.2.1",
}  # fmt: skip
"""A value for each argument that must be given."""


def sample(spec: Spec) -> dict[str, Any]:
    if spec.name in ("alert.raise", "alert.preview"):
        return {**ALERT, "status": "exercise"}
    given = {name: ARGS[name] for name, kind in describe(spec.args).items() if not kind.endswith("?")}
    more: Mapping[str, dict[str, Any]] = {
        "room.create": {"room": "new-room"}, "room.update": {"title": "T"}, "member.update": {"badge": "B"},
        "address.ban": {"address": "192.0.2.1"}, "operator.add": {"password": "four unrelated words"},
    }  # fmt: skip
    return {**given, **more.get(spec.name, {})}


CASES = [(spec, role, sample(spec), spec.role) for spec in TABLE.values() for role in Role]
CASES += [(TABLE["alert.raise"], role, {**ALERT, "status": "actual"}, Role.SAFETY) for role in Role]
CASES += [(TABLE["alert.raise"], role, {**ALERT, "status": "test"}, Role.OPERATOR) for role in Role]


async def test_every_command_is_refused_to_every_role_below_its_own_and_to_no_other(
    autojump_clock: MockClock, quick_hashes: None
) -> None:
    async with open_office() as office:
        wrong = [
            f"{spec.name} by {role.word}: {code}"
            for spec, role, args, least in CASES
            if ((code := await answer(office, spec, args, role)) == "forbidden") != (role < least)
        ]
        assert wrong == []
        refused = [row for row in await office.audit() if row[2] == "forbidden"]
        expected = [case for case in CASES if case[1] < case[3] and case[0].recorded]
        assert len(refused) == len(expected), "what was refused is on record"


async def answer(office: Office, spec: Spec, args: dict[str, Any], role: Role) -> str:
    """By a dry run where it is an act: refusals come first there too, and nothing is left behind for the next case."""
    found = await office.give(spec.name, args, by=f"{role.word}-{spec.name}", role=role, dry_run=not spec.reads)
    return found.code if isinstance(found, Denied) else "ok"


async def test_a_refusal_comes_before_the_arguments_are_judged(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        for spec in TABLE.values():
            if spec.role > Role.VIEWER:
                assert await office.refused(spec.name, {"nonsense": 1}, role=Role.VIEWER) == "forbidden"


def test_each_command_has_somebody_who_carries_it_out() -> None:
    own = {"act.undo", "act.refuse", "house.uncalm"}
    assert {name for name, spec in TABLE.items() if spec.reads} == READERS.keys()
    assert {name for name, spec in TABLE.items() if not spec.reads} - own == PLANNERS.keys()


@pytest.mark.parametrize("spec", TABLE.values(), ids=TABLE)
def test_each_command_reads_its_own_arguments_and_no_others(spec: Spec) -> None:
    args = sample(spec)
    if spec.name == "alert.import":
        return
    assert not isinstance(read_args(spec, args, 1e9), Denied)
    assert isinstance(read_args(spec, {**args, "secnods": 1}, 1e9), Denied)
    for name, kind in describe(spec.args).items():
        if not kind.endswith("?") and name in args:
            left = {each: value for each, value in args.items() if each != name}
            assert isinstance(read_args(spec, left, 1e9), Denied), f"{name} must be given"


BAD_VALUES: list[object] = [None, 1.5, "", "x" * 3_000, [], {}, True, "\ud800", -1, 2**60, 10**400]


@pytest.mark.parametrize("spec", TABLE.values(), ids=TABLE)
def test_no_value_makes_reading_the_arguments_raise(spec: Spec) -> None:
    for name in describe(spec.args):
        for value in BAD_VALUES:
            read_args(spec, {**sample(spec), name: value}, 1e9)


def test_only_what_can_be_undone_may_be_given_for_a_time() -> None:
    assert all(spec.undo is UndoKind.EXACT for spec in TABLE.values() if spec.timed)
