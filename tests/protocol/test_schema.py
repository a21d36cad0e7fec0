"""The published documents: up to date, whole, and true of what is really sent and accepted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from jsonschema import Draft202012Validator

from bandstand.cli import main
from gateway.protocol.codec import encode
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES
from gateway.protocol.schema import Schemas, asyncapi, json_schema, name
from tests.protocol.samples import client_frames, server_frames

DOCS = Path(__file__).parents[2] / "docs"
PUBLISHED = {"asyncapi.json": asyncapi, "schemas.json": json_schema}
STRICT = json_schema(closed=True)
validators = {
    name(cls): Draft202012Validator({"$ref": f"#/$defs/{name(cls)}", "$defs": STRICT["$defs"]})
    for cls in (*CLIENT_FRAMES, *SERVER_FRAMES)
}


@pytest.mark.parametrize("file", PUBLISHED)
def test_published_document_is_up_to_date(file: str) -> None:
    """If this fails: bandstand schema > docs/asyncapi.json; bandstand schema --json-schema > docs/schemas.json"""
    assert json.loads((DOCS / file).read_text(encoding="utf-8")) == PUBLISHED[file]()


@given(client_frames)
def test_client_frames_fit_their_schemas(frame: Any) -> None:
    validators[name(type(frame))].validate(json.loads(encode(frame)))


@given(server_frames)
def test_server_frames_fit_their_schemas_and_hold_nothing_else(frame: Any) -> None:
    validators[name(type(frame))].validate(json.loads(encode(frame)))


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
    document = json_schema()
    assert not Draft202012Validator({"$ref": "#/$defs/client", "$defs": document["$defs"]}).is_valid(frame)


def test_schemas_are_schemas() -> None:
    for document in (json_schema(), STRICT):
        Draft202012Validator.check_schema(document)


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


@pytest.mark.parametrize("make", PUBLISHED.values(), ids=PUBLISHED)
def test_every_reference_leads_somewhere(make: Any) -> None:
    document = make()
    assert all(resolve(document, each) for each in references(document))


def test_asyncapi_has_what_version_3_requires() -> None:
    """https://www.asyncapi.com/docs/reference/specification/v3.0.0: required members and fixed values."""
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(document["info"])
    messages, schemas = document["components"]["messages"], document["components"]["schemas"]
    channel = document["channels"]["attendee"]
    assert set(channel["messages"]) == set(messages) <= set(schemas)
    for key, message in messages.items():
        assert message["payload"] == {"$ref": f"#/components/schemas/{key}"}
        assert set(message) <= {"name", "title", "summary", "payload"}
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        assert operation["channel"] == {"$ref": "#/channels/attendee"}
        for each in (*operation["messages"], *operation.get("reply", {"messages": []})["messages"]):
            # Of the channel, not of the components (operation object, messages).
            assert each["$ref"].startswith("#/channels/attendee/messages/")


def test_every_message_is_in_an_operation() -> None:
    used = {each.rsplit("/", 1)[1] for each in references(asyncapi()["operations"]) if "/messages/" in each}
    assert used == {name(cls) for cls in (*CLIENT_FRAMES, *SERVER_FRAMES)}


def test_names_of_schemas_may_be_used_as_keys() -> None:
    allowed = set("abcdefghijklmnopqrstuvwxyz._-")
    assert all(set(key) <= allowed for key in Schemas("#").named)


@pytest.mark.parametrize(("flag", "make"), [("--asyncapi", asyncapi), ("--json-schema", json_schema)])
def test_command_prints_the_document(flag: str, make: Any) -> None:
    shown = CliRunner().invoke(main, ["schema", flag])
    assert (shown.exit_code, json.loads(shown.output)) == (0, make())
    line = CliRunner().invoke(main, ["--json", "schema", flag])
    assert (line.output.count("\n"), json.loads(line.output)) == (1, make())


def test_command_prints_asyncapi_if_nothing_is_said() -> None:
    assert json.loads(CliRunner().invoke(main, ["schema"]).output) == asyncapi()
