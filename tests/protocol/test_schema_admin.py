"""The operators' part of the published documents: what it takes is what the server takes, command by command."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from actors.admin.commands import TABLE, read_args
from actors.admin.orders import Denied, Outcome, Pending, Spec, UndoKind
from actors.admin.roles import Role
from gateway.admin.answers import answered, catalogue
from gateway.admin.schema import ADMIN
from gateway.admin.session import error
from gateway.protocol import admin
from gateway.protocol.admin_codec import encode_admin
from gateway.protocol.kinds import Count, RequestId
from gateway.protocol.schema import asyncapi, json_schema
from tests.admin.test_roles import sample

STRICT = json_schema(ADMIN, closed=True)["$defs"]
GROUPS = {spec.args: spec for spec in TABLE.values()}
"""A command for each class of arguments."""
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 5, 201, 2**53, 0.5, 3_601.5, "", "x", "main-stage", "Main", "blue-stage-42",
    "house", "exercise", "owner", "dismissed", "x" * 49, "x" * 2_001, "x" * 17_000, [], ["main-stage"], ["Main"],
    ["main-stage"] * 501, {}, {"headline": "x"}, {"en": {"headline": "x"}}, {"en": {"text": "x"}},
)  # fmt: skip


def validator(key: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{key}", "$defs": STRICT})


CLIENT, SERVER = validator("admin.client"), validator("admin.server")


def command(spec: Spec, args: Any, **more: Any) -> dict[str, Any]:
    return {"type": "command", "id": 1, "cid": "c-1", "name": spec.name, "args": args, **more}


def arguments_of(spec: Spec) -> list[str]:
    reference = STRICT[f"admin.command.{spec.name}"]["properties"]["args"]["$ref"]
    return [*STRICT[reference.rsplit("/", 1)[1]]["properties"]]


UNSAID = {
    ("room.update", "title"), ("room.update", "code"), ("member.update", "badge"), ("address.ban", "member"),
    ("address.ban", "address"), ("room.evacuate", "to"), ("alert.import", "xml"),
    ("alert.raise", "rooms"), ("alert.raise", "zones"), ("alert.raise", "all"), ("alert.raise", "headline"),
    ("alert.raise", "info"), ("member.create", "nickname"), ("member.update", "nickname"),
}  # fmt: skip
"""Where the server also looks at the other arguments, or into the text."""


@pytest.mark.parametrize("spec", GROUPS.values(), ids=lambda spec: spec.name)
def test_arguments_are_taken_by_the_schema_if_the_server_takes_them(spec: Spec) -> None:
    """Each argument in turn, with the others as they should be."""
    good, check = sample(spec), validator(f"admin.command.{spec.name}")
    assert check.is_valid(command(spec, good))
    assert not check.is_valid(command(spec, {**good, "secnods": 1}))
    wrong = []
    for name in arguments_of(spec):
        for value in VALUES:
            args = {**good, name: value}
            taken = not isinstance(read_args(spec, args, 0.0), Denied)
            valid = check.is_valid(command(spec, args))
            if taken != valid and (taken or (spec.name, name) not in UNSAID):
                wrong.append((name, str(value)[:20], "taken" if taken else "refused"))
    assert wrong == []


def test_each_command_is_a_message_with_its_role() -> None:
    messages = asyncapi(ADMIN)["components"]["messages"]
    assert {key for key in messages if key.startswith("admin.command.")} == {f"admin.command.{each}" for each in TABLE}
    for spec in TABLE.values():
        message = messages[f"admin.command.{spec.name}"]
        about = message["x-command"]
        assert (about["name"], message["summary"]) == (spec.name, spec.summary)
        assert (about["role"], about["undo"]) == (spec.role.word, spec.undo.value)
        grave = spec.second is not None or bool(spec.as_grave_as)
        flags = (spec.reads, spec.timed, spec.confirm is not None, grave)
        assert tuple(about[word] for word in ("reads", "timed", "confirm", "second")) == flags


BAN = command(TABLE["member.ban"], sample(TABLE["member.ban"]))
KICK = command(TABLE["member.kick"], sample(TABLE["member.kick"]))
READ = command(TABLE["room.list"], {})
BY_NAME = {"type": "auth", "id": 1, "operator": "ana", "password": "four unrelated words"}


@pytest.mark.parametrize(
    ("frame", "taken"),
    [
        (BAN, True),
        (BAN | {"ttl_s": 600}, True),
        (BAN | {"ttl_s": 0}, False),
        (BAN | {"cid": None, "dry_run": True}, True),
        (BAN | {"cid": None}, False),
        (BAN | {"args": {}}, False),
        (BAN | {"name": "member.banish"}, False),
        (BAN | {"reason": "x" * 501}, False),
        (KICK | {"ttl_s": None}, True),
        (KICK | {"ttl_s": 600}, False),
        (READ | {"cid": None}, True),
        ({"type": "command", "id": 1, "name": "room.list"}, True),
        (BY_NAME, True),
        (BY_NAME | {"setup": "k3v9", "token": None}, True),
        (BY_NAME | {"token": "t"}, False),
        ({"type": "auth", "id": 1, "token": "t"}, True),
        ({"type": "auth", "id": 1, "token": "t", "setup": "k3v9"}, False),
        ({"type": "auth", "id": 1, "operator": "ana"}, False),
        ({"type": "watch", "id": 1, "topic": "room:main-stage"}, True),
        ({"type": "watch", "id": 1, "topic": "everything"}, False),
        ({"type": "unwatch", "id": 1, "topic": "stats"}, True),
        ({"type": "heartbeat", "t": 1.5}, True),
        ({"type": "heartbeat", "id": -1}, False),
    ],
)
def test_what_an_operator_says_is_taken_or_not(frame: dict[str, Any], taken: bool) -> None:
    assert CLIENT.is_valid(frame) == taken


SAID: tuple[admin.AdminServerFrame, ...] = (
    admin.Hello(1, "n1", "North Fields", 1.5, True, ("watch",)),
    admin.Ready(RequestId(1), "ana", "owner", "s_1", "", catalogue(Role.OWNER, frozenset({"house.wipe"}))),
    admin.Ok(RequestId(1)),
    error(None, Denied("conflict", "it was changed meanwhile", 500), "args"),
    admin.Snapshot("stats", Count(20), {"at": 1.5, "rooms": [], "anything": {"else": None}}),
    admin.HeartbeatFrame(1.5),
    admin.Bye(Count(4200), Count(500), "draining"),
)
ANSWERS = (
    Denied("second_person", "no"),
    Outcome(act="act_1", rev=3, affected=7, undo=UndoKind.EXACT, undo_until=1.5, detail={"left": []}),
    Outcome(dry_run=True),
    Pending("p_1", 1.5, {"words": "WIPE"}),
)


def test_what_the_server_says_to_operators_fits_its_schemas() -> None:
    for frame in SAID:
        validator(ADMIN.name(type(frame))).validate(json.loads(encode_admin(frame)))
    for answer in ANSWERS:
        blob = answered(7, answer)
        header = 4 if blob[1] == 126 else 2
        SERVER.validate(json.loads(blob[header:]))


@pytest.mark.parametrize(
    "spoilt", [{"code": "of_tomorrow"}, {"message": None}, {"retry": "yes"}, {"re": -1}, {"more": 1}]
)
def test_what_the_server_does_not_say_fits_none(spoilt: dict[str, Any]) -> None:
    good = json.loads(encode_admin(error(3, Denied("busy", "later", 500))))
    assert SERVER.is_valid(good)
    assert not SERVER.is_valid(good | spoilt)
