"""The published documents: up to date, whole, and true of what is really sent and accepted."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from jsonschema import Draft202012Validator

from bandstand.cli import main
from gateway.admin.schema import ADMIN
from gateway.protocol.attendee import ATTENDEE
from gateway.protocol.codec import encode
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES
from gateway.protocol.schema import Channel, Schemas, asyncapi, json_schema
from tests.protocol.samples import client_frames, server_frames

DOCS = Path(__file__).parents[2] / "docs"
CHANNELS = (ATTENDEE, ADMIN)
PUBLISHED = {"asyncapi.json": asyncapi(*CHANNELS), "schemas.json": json_schema(*CHANNELS)}
STRICT = json_schema(*CHANNELS, closed=True)
validators = {
    key: Draft202012Validator({"$ref": f"#/$defs/{key}", "$defs": STRICT["$defs"]})
    for key in map(ATTENDEE.name, (*CLIENT_FRAMES, *SERVER_FRAMES))
}


@pytest.mark.parametrize("file", PUBLISHED)
def test_published_document_is_up_to_date(file: str) -> None:
    """If this fails: bandstand schema > docs/asyncapi.json; bandstand schema --json-schema > docs/schemas.json"""
    assert json.loads((DOCS / file).read_text(encoding="utf-8")) == PUBLISHED[file]


@given(client_frames)
def test_client_frames_fit_their_schemas(frame: Any) -> None:
    validators[ATTENDEE.name(type(frame))].validate(json.loads(encode(frame)))


@given(server_frames)
def test_server_frames_fit_their_schemas_and_hold_nothing_else(frame: Any) -> None:
    validators[ATTENDEE.name(type(frame))].validate(json.loads(encode(frame)))


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "send", "id": 1, "room": "main", "cid": "c", "text": ""},
        {"type": "send", "id": -1, "room": "main", "cid": "c", "text": "x"},
        {"type": "send", "id": 1, "room": "Main", "cid": "c", "text": "x"},
        {"type": "send", "id": 1, "room": "main", "text": "x"},
        {"type": "auth", "id": 1},
        {"type": "join", "id": 1, "room": "main", "since": {"epoch": "a"}},
        {"type": "nothing"},
        {},
    ],
)
def test_schema_refuses_what_the_decoder_refuses(frame: dict[str, Any]) -> None:
    document = PUBLISHED["schemas.json"]
    assert not Draft202012Validator({"$ref": "#/$defs/client", "$defs": document["$defs"]}).is_valid(frame)


def test_schemas_are_schemas() -> None:
    """Each shape once: those of commands differ in names alone, and a check takes its time."""
    shapes = {re.sub(r'"(const|\$ref)": "[^"]*"', r'"\1": "#"', json.dumps(each)) for each in STRICT["$defs"].values()}
    for shape in shapes:
        Draft202012Validator.check_schema(json.loads(shape))
    whole = {key: value for key, value in STRICT.items() if key != "$defs"}
    Draft202012Validator.check_schema(whole)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    assert reference.startswith("#/"), reference
    for part in reference[2:].split("/"):
        document = document[part.replace("~1", "/").replace("~0", "~")]
    return document


@pytest.mark.parametrize("document", PUBLISHED.values(), ids=PUBLISHED)
def test_every_reference_leads_somewhere(document: Any) -> None:
    assert all(resolve(document, each) for each in references(document))


def test_asyncapi_has_what_version_3_requires() -> None:
    """https://www.asyncapi.com/docs/reference/specification/v3.0.0: required members and fixed values."""
    document = PUBLISHED["asyncapi.json"]
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    messages, schemas = document["components"]["messages"], document["components"]["schemas"]
    listed = [key for channel in document["channels"].values() for key in channel["messages"]]
    assert len(set(listed)) == len(listed), "no name stands for two messages"
    assert set(listed) == set(messages) <= set(schemas)
    for key, message in messages.items():
        assert message["payload"] == {"$ref": f"#/components/schemas/{key}"}
        assert set(message) <= {"name", "title", "summary", "payload", "tags", "x-command"}
    assert {channel["address"] for channel in document["channels"].values()} == {"/ws", "/admin/ws"}


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.key)
def test_operations_are_of_their_channel_and_name_all_its_messages(channel: Channel) -> None:
    document = PUBLISHED["asyncapi.json"]
    here = {"$ref": f"#/channels/{channel.key}"}
    used: set[str] = set()
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        if operation["channel"] == here:
            reply = operation.get("reply", {"channel": here, "messages": []})
            assert reply["channel"] == here
            used |= {each["$ref"] for each in (*operation["messages"], *reply["messages"])}
    # Of the channel, not of the components (operation object, messages).
    assert used == {f"{here['$ref']}/messages/{key}" for key in document["channels"][channel.key]["messages"]}


def test_every_class_of_a_channel_is_a_message() -> None:
    for channel in CHANNELS:
        keys = {channel.name(cls) for cls in (*channel.client, *channel.server) if cls not in channel.spoken}
        assert keys <= PUBLISHED["asyncapi.json"]["channels"][channel.key]["messages"].keys()


def test_names_of_schemas_may_be_used_as_keys() -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyz._-")
    assert all(set(key) <= allowed for channel in CHANNELS for key in Schemas(channel, "#").named)


@pytest.mark.parametrize(("flag", "file"), [("--asyncapi", "asyncapi.json"), ("--json-schema", "schemas.json")])
def test_command_prints_the_document(flag: str, file: str) -> None:
    shown = CliRunner().invoke(main, ["schema", flag])
    assert (shown.exit_code, json.loads(shown.output)) == (0, PUBLISHED[file])
    line = CliRunner().invoke(main, ["--json", "schema", flag])
    assert (line.output.count("\n"), json.loads(line.output)) == (1, PUBLISHED[file])


def test_command_prints_asyncapi_if_nothing_is_said() -> None:
    assert json.loads(CliRunner().invoke(main, ["schema"]).output) == PUBLISHED["asyncapi.json"]
