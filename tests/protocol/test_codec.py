"""Decoding is strict and total: a frame comes out whole, or one of two errors does."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.names import MessageText, RoomName
from actors.refusals import Reason
from gateway.protocol import client, server
from gateway.protocol.codec import CLIENT_FRAME_BYTES, BadFrame, UnknownType, client_decoder, encode, server_decoder
from gateway.protocol.codes import Scope
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES
from gateway.protocol.kinds import RequestId
from tests.protocol.samples import client_frames, server_frames

decode = client_decoder()
decode_server = server_decoder(1 << 30)

SEND = {"type": "send", "id": 7, "room": "main-stage", "cid": "0198", "text": "hi"}
JOIN = {"type": "join", "id": 7, "room": "main-stage"}
ABSENT = object()


def with_(frame: dict[str, Any], **changes: Any) -> str:
    return json.dumps({key: value for key, value in (frame | changes).items() if value is not ABSENT})


def why(raw: str) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        decode(raw)
    return caught.value


@given(client_frames)
def test_client_frames_come_back_as_they_went(frame: Any) -> None:
    assert decode(encode(frame).decode()) == frame


@given(server_frames)
def test_server_frames_come_back_as_they_went(frame: Any) -> None:
    assert decode_server(encode(frame).decode()) == frame


@pytest.mark.parametrize(
    ("code", "scope"), [(Reason.SLOW_MODE, Scope.ROOM), ("of_tomorrow", Scope.FRAME), (Reason.BUSY, "house")]
)
def test_codes_come_out_as_members_of_their_lists_and_newer_ones_as_they_are(code: str, scope: str) -> None:
    frame = decode_server(json.dumps({"type": "error", "code": code, "message": "", "retry": True, "scope": scope}))
    assert isinstance(frame, server.ErrorFrame)
    assert (frame.code, frame.scope) == (code, scope)
    assert (type(frame.code), type(frame.scope)) == (type(code), type(scope))


def test_a_code_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadFrame, match="code: must be a string"):
        decode_server('{"type":"error","code":7,"message":"","retry":true,"scope":"room"}')


def test_every_frame_has_a_tag_of_its_own_but_the_oks_and_the_rules() -> None:
    assert len({cls.TAG for cls in CLIENT_FRAMES}) == len(CLIENT_FRAMES)
    tags = [cls.TAG for cls in SERVER_FRAMES if cls.TAG != "ok" and cls is not server.RulesFrame]
    assert len(set(tags)) == len(tags)


def test_the_tag_stands_first_and_defaults_stay_out() -> None:
    frame = client.Send(RequestId(7), RoomName("main"), "c", MessageText("hi"))  # type: ignore[arg-type]
    assert encode(frame) == b'{"type":"send","id":7,"room":"main","cid":"c","text":"hi"}'


def test_absent_and_null_are_the_default_where_there_is_one() -> None:
    assert decode(with_(JOIN)) == decode(with_(JOIN, since=None, tail=50, max=1000, presence=True))


def test_unknown_fields_are_ignored_whatever_they_hold() -> None:
    assert decode(with_(SEND, more={"a": [1, {"b": 10**30}]})) == decode(with_(SEND))


def test_the_last_of_repeated_keys_counts() -> None:
    raw = '{"type":"leave","type":"join","id":1,"id":2,"room":"main","room":"stage"}'
    assert decode(raw) == decode('{"type":"join","id":2,"room":"stage"}')


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        (with_(SEND, id="7"), "id", "whole number"),
        (with_(SEND, id=True), "id", "whole number"),
        (with_(SEND, id=7.0), "id", "whole number"),
        (with_(SEND, id=-1), "id", "must be 0 to"),
        (with_(SEND, id=2**53), "id", "must be 0 to"),
        (with_(SEND, id=10**40), "id", "must be 0 to"),
        (with_(SEND, id=None), "id", "whole number"),
        (with_(SEND, id=ABSENT), "id", "is missing"),
        (with_(SEND, room="Main"), "room", "room name"),
        (with_(SEND, room="main\n"), "room", "room name"),
        (with_(SEND, room="x"), "room", "room name"),
        (with_(SEND, room=["main"]), "room", "string"),
        (with_(SEND, room={"a": 1}), "room", "string"),
        (with_(SEND, room=None), "room", "string"),
        (with_(SEND, cid="a b"), "cid", "cid"),
        (with_(SEND, cid=""), "cid", "cid"),
        (with_(SEND, cid="x" * 65), "cid", "cid"),
        (with_(SEND, cid="ä"), "cid", "cid"),
        (with_(SEND, text=""), "text", "needs a text"),
        (with_(SEND, text=5), "text", "string"),
        (with_(SEND, text=None), "text", "string"),
        (with_(SEND, text=ABSENT), "text", "is missing"),
        (with_(SEND, reply_to="4"), "reply_to", "whole number"),
        (with_(SEND, reply_to=-4), "reply_to", "must be 0 to"),
        (with_(JOIN, since={}), "since.epoch", "is missing"),
        (with_(JOIN, since={"epoch": "k3v9", "seq": "1"}), "since.seq", "whole number"),
        (with_(JOIN, since={"epoch": "K3", "seq": 1}), "since.epoch", "epoch"),
        (with_(JOIN, since=["k3v9", 1]), "since", "object"),
        (with_(JOIN, since="k3v9"), "since", "object"),
        (with_(JOIN, since=0), "since", "object"),
        (with_(JOIN, tail=201), "tail", "0 to 200"),
        (with_(JOIN, presence="false"), "presence", "true or false"),
        (with_(JOIN, presence=0), "presence", "true or false"),
        ('{"type":"auth","id":1}', "", "token or a nickname"),
        ('{"type":"auth","id":1,"nickname":"\\u202eevil"}', "nickname", "U+202E"),
        ('{"type":"auth","id":1,"nickname":" "}', "nickname", "at least one"),
        ('{"type":"auth","id":1,"token":5}', "token", "string"),
        (with_({"type": "auth", "id": 1}, token="x" * 513), "token", "token"),
        ('{"type":"react","id":1,"room":"main","target":1,"emoji":"hello"}', "emoji", "emoji"),
        ('{"type":"history","id":1,"room":"main","before":1,"after":2}', "after", "not both"),
        ('{"type":"history","id":1,"room":"main","limit":0}', "limit", "1 to 200"),
        ('{"type":"members","id":1,"room":"main","page":0}', "page", "must be 1 to"),
        ('{"type":"heartbeat","t":"1"}', "t", "number"),
        ('{"type":"heartbeat","t":true}', "t", "number"),
        ('{"type":"heartbeat","at":[]}', "at", "object"),
        ('{"type":"heartbeat","at":{"main":1.5}}', "at.main", "whole number"),
        ('{"type":"heartbeat","at":{"MAIN":1}}', "at.MAIN", "room name"),
        (json.dumps({"type": "heartbeat", "at": {f"room-{n}": n for n in range(9)}}), "at", "at most 8"),
        ("{}", "type", "is missing"),
        ('{"type":null}', "type", "string"),
        ('{"type":["send"]}', "type", "string"),
        ("[]", "", "object"),
        ("null", "", "object"),
        ('"send"', "", "object"),
        ("7", "", "object"),
        ("", "", "not JSON"),
        ("{", "", "not JSON"),
        ("{} {}", "", "not JSON"),
        ("\ufeff{}", "", "not JSON"),
        ('{"type":"heartbeat","t":NaN}', "", "not JSON"),
        ('{"type":"heartbeat","t":-Infinity}', "", "not JSON"),
        ('{"type":"heartbeat","t":1e999}', "", "not JSON"),
        ('{"type":"heartbeat","t":' + "9" * 5000 + "}", "", "not JSON"),
        ('{"a":"\\ud800"}', "", "not JSON"),
        ('{"a":"\udc00"}', "", "not JSON"),
        ("[" * 16_000, "", "not JSON"),
        ('{"a":' * 3_000, "", "not JSON"),
        ("[" + "[]," * 5_000 + "[]]", "", "object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(raw: str, path: str, message: str) -> None:
    wrong = why(raw)
    assert (wrong.path, wrong.reason) == (path, Reason.BAD_FRAME)
    assert message in wrong.message


@pytest.mark.parametrize("surrogate", ["\\ud800", "\\udc00", "x\\udfffx", "\\ud800\\ud800", "\\ude00\\ud83d"])
def test_half_a_character_gets_nowhere(surrogate: str) -> None:
    why('{"type":"send","id":7,"room":"main","cid":"c","text":"' + surrogate + '"}')


def test_a_pair_of_surrogates_is_one_character() -> None:
    frame = decode('{"type":"send","id":7,"room":"main","cid":"c","text":"\\ud83d\\ude00"}')
    assert isinstance(frame, client.Send)
    assert frame.text == "😀"


def test_a_long_text_is_too_big_and_counted_in_code_points() -> None:
    assert isinstance(decode(with_(SEND, text="😀" * 1_200)), client.Send)
    assert decode(json.dumps(SEND | {"text": "é" * 2_000}, ensure_ascii=False))
    wrong = why(with_(SEND, text="x" * 2_001))
    assert (wrong.path, wrong.reason, wrong.re) == ("text", Reason.TOO_BIG, 7)
    assert client_decoder(text_limit=3)(with_(SEND, text="abc"))
    with pytest.raises(BadFrame, match="at most 3"):
        client_decoder(text_limit=3)(with_(SEND, text="abcd"))


def test_bytes_are_bounded_before_anything_is_parsed() -> None:
    fits = with_(SEND, pad="x" * (CLIENT_FRAME_BYTES - len(with_(SEND, pad=""))))
    assert decode(fits) == decode(with_(SEND))
    assert why(fits + " ").reason is Reason.TOO_BIG
    assert why("é" * (CLIENT_FRAME_BYTES // 2 + 1)).reason is Reason.TOO_BIG


@pytest.mark.parametrize(
    ("id", "re"), [(7, 7), (0, 0), ("7", None), (-1, None), (True, None), (2**53, None), (1.0, None)]
)
def test_an_error_answers_the_request_if_its_id_can_be_read(id: Any, re: int | None) -> None:
    assert why(with_(SEND, id=id, room="!")).re == re
    with pytest.raises(UnknownType) as caught:
        decode(json.dumps({"type": "alert", "id": id}))
    assert (caught.value.tag, caught.value.re) == ("alert", re)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
tags = st.sampled_from([cls.TAG for cls in CLIENT_FRAMES])
known_keys = st.sampled_from(sorted({each for cls in CLIENT_FRAMES for each in cls.__slots__ if each[0] != "_"}))  # type: ignore[attr-defined]


def never_raises_anything_else(read: Any, raw: str) -> None:
    with suppress(BadFrame, UnknownType):
        read(raw)


@given(st.text())
@example('{"type":"send"')
def test_no_text_raises_anything_else(raw: str) -> None:
    never_raises_anything_else(decode, raw)
    never_raises_anything_else(decode_server, raw)


@given(tags, st.dictionaries(known_keys, json_values))
def test_no_object_raises_anything_else(tag: str, parts: dict[str, Any]) -> None:
    never_raises_anything_else(decode, json.dumps({**parts, "type": tag}))


@given(st.sampled_from([cls.TAG for cls in SERVER_FRAMES]), server_frames, st.data())
def test_no_spoilt_server_frame_raises_anything_else(tag: str, frame: Any, data: st.DataObject) -> None:
    parts = json.loads(encode(frame))
    key = data.draw(st.sampled_from(sorted(parts)))
    never_raises_anything_else(decode_server, json.dumps(parts | {key: data.draw(json_values)}))
    never_raises_anything_else(decode_server, json.dumps(parts | {"type": tag}))


@given(client_frames, st.data())
def test_a_spoilt_field_is_refused_or_read_as_its_own_type(frame: Any, data: st.DataObject) -> None:
    parts = json.loads(encode(frame))
    key = data.draw(st.sampled_from(sorted({*parts, "id"} - {"type"})))
    try:
        read = decode(json.dumps(parts | {key: data.draw(json_values)}))
    except (BadFrame, UnknownType):
        return
    assert type(read) is type(frame)
    assert decode(encode(read).decode()) == read
