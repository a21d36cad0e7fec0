"""An operator's connection's mind, and the frames it reads."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.session import AdminSession, Beat, Give, Goodbye, Knock, Look, Nothing, Say, State
from gateway.protocol import admin
from gateway.protocol.admin_codec import admin_decoder, encode_admin
from gateway.protocol.codes import CloseCode

DECODE = admin_decoder()
AUTH = {"type": "auth", "id": 1, "operator": "ana", "password": "secret"}
COMMAND = {"type": "command", "id": 2, "name": "room.list"}


def session(signed_in: bool = True) -> AdminSession:
    made = AdminSession(DECODE)
    if signed_in:
        made.state = State.SIGNED_IN
    return made


def say(to: AdminSession, frame: dict[str, Any], now: float = 0.0) -> Any:
    return to.text(json.dumps(frame), now)


def code(action: Any) -> str:
    assert isinstance(action, Say)
    assert isinstance(action.frame, admin.ErrorFrame)
    return action.frame.code


def test_one_sign_in_at_a_time() -> None:
    fresh = session(signed_in=False)
    assert isinstance(say(fresh, AUTH), Knock)
    assert code(say(fresh, AUTH)) == "busy"
    fresh.not_signed_in()
    assert isinstance(say(fresh, AUTH), Knock)
    fresh.signed_in()
    assert fresh.state is State.SIGNED_IN
    assert code(say(fresh, AUTH)) == "forbidden"


@pytest.mark.parametrize("frame", [COMMAND, {"type": "watch", "id": 3, "topic": "stats"}])
def test_nothing_before_the_sign_in(frame: dict[str, Any]) -> None:
    assert code(say(session(signed_in=False), frame)) == "unauthorized"


def test_whoever_goes_on_all_the_same_is_put_out() -> None:
    stranger = session(signed_in=False)
    actions = [say(stranger, COMMAND, now=n / 100) for n in range(40)]
    assert isinstance(actions[19], Goodbye)
    assert actions[19].code is CloseCode.ABUSIVE
    assert all(isinstance(action, Nothing) for action in actions[20:])


def test_frames_go_their_ways() -> None:
    inside = session()
    assert isinstance(say(inside, COMMAND), Give)
    assert isinstance(say(inside, {"type": "watch", "id": 3, "topic": "stats"}), Look)
    assert isinstance(say(inside, {"type": "unwatch", "id": 3, "topic": "stats"}), Look)
    assert isinstance(say(inside, {"type": "heartbeat", "t": 1.5}), Beat)
    assert code(say(inside, {"type": "dance", "id": 4})) == "unknown_type"


def test_a_program_that_is_too_fast_waits() -> None:
    inside = session()
    actions = [say(inside, COMMAND) for _ in range(400)]
    refused = [action for action in actions if isinstance(action, Say)]
    assert refused
    assert all(action.frame.code == "rate" and action.frame.retry_after_ms for action in refused)  # type: ignore[union-attr]


def test_bad_frames_are_said_to_be_bad_and_ten_of_them_are_too_many() -> None:
    inside = session()
    actions = [inside.text("{", 0.0) for _ in range(10)]
    assert code(actions[0]) == "bad_frame"
    assert isinstance(actions[-1], Goodbye)
    assert actions[-1].code is CloseCode.BAD_PROTOCOL


@given(st.text() | st.dictionaries(st.text(), st.none() | st.integers() | st.text()).map(json.dumps))
def test_no_text_makes_the_session_raise(text: str) -> None:
    session().text(text, 0.0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["auth", "command", "watch", "unwatch", "heartbeat"]),
    st.dictionaries(
        st.sampled_from(["id", "operator", "password", "token", "setup", "cid", "name", "args", "ttl_s", "topic", "t"]),
        json_values,
    ),
)
def test_no_frame_makes_the_session_raise(tag: str, fields: dict[str, Any]) -> None:
    session().text(json.dumps({"type": tag, **fields}), 0.0)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"operator": "ana"},
        {"password": "x"},
        {"operator": "ana", "password": "x", "token": "bs1.x"},
        {"setup": "code"},
        {"setup": "code", "token": "bs1.x"},
        {"operator": "ana", "password": "x" * 300},
    ],
)
def test_credentials_are_one_sort(fields: dict[str, Any]) -> None:
    assert code(say(session(signed_in=False), {"type": "auth", "id": 1, **fields})) == "bad_frame"


def test_a_snapshot_s_fields_stand_beside_its_topic() -> None:
    frame = admin.Snapshot("stats", 12, {"at": 1.5})  # type: ignore[arg-type]
    assert json.loads(encode_admin(frame)) == {"type": "snapshot", "topic": "stats", "age_ms": 12, "at": 1.5}
