"""A connection's mind, told text by text."""

import json
from typing import Any

import pytest

from actors.names import Nickname, ReservedNames, RoomName
from actors.refusals import Reason
from gateway.budgets import SessionLimits
from gateway.protocol import client, server
from gateway.protocol.codes import CloseCode
from gateway.protocol.kinds import Count
from gateway.session import Action, Beat, Entering, Goodbye, Nothing, Route, Say, State, TurnedAway, hello
from tests.gateway.talk import ANA, JOIN, NEW, REQUESTS, TYPING, WALL, decode, inside, joined, make, send, tell


def refusal(action: Action) -> tuple[Reason, int | None]:
    assert isinstance(action, Say | TurnedAway), action
    assert isinstance(action.frame, server.ErrorFrame)
    return action.frame.code, action.frame.re


# Coming in


@pytest.mark.parametrize("frame", [JOIN, *REQUESTS], ids=lambda frame: frame["type"])
def test_nothing_is_done_for_nobody(frame: dict[str, Any]) -> None:
    session = make()
    assert refusal(tell(session, frame)) == (Reason.UNAUTHORIZED, 9)
    assert session.state is State.HELLO


def test_a_newcomer_is_somebody_new() -> None:
    session = make()
    assert tell(session, {"type": "auth", "id": 1, "nickname": " Ana "}) == Entering(1, NEW, Nickname("Ana"))
    assert (session.state, session.member, session.nickname) == (State.ENTERING, NEW, None)
    session.entered(Nickname("Ana"))
    assert (session.state, session.member, session.nickname) == (State.AUTHENTICATED, NEW, Nickname("Ana"))


def test_a_token_brings_the_same_member_back_under_any_name() -> None:
    assert tell(make(), {"type": "auth", "id": 1, "token": "good"}) == Entering(1, ANA, None)
    again = {"type": "auth", "id": 1, "token": "good", "nickname": "Bo"}
    assert tell(make(), again) == Entering(1, ANA, Nickname("Bo"))


def test_a_bad_token_is_turned_away_and_the_nickname_still_works() -> None:
    session = make()
    action = tell(session, {"type": "auth", "id": 1, "token": "bad", "nickname": "Ana"})
    assert isinstance(action, TurnedAway)
    assert (action.frame.code, action.frame.path, action.frame.retry) == (Reason.UNAUTHORIZED, "token", False)
    assert isinstance(tell(session, {"type": "auth", "id": 2, "nickname": "Ana"}), Entering)


def test_the_fifth_bad_token_ends_it() -> None:
    session = make()
    actions = [tell(session, {"type": "auth", "id": n, "token": "bad"}) for n in range(6)]
    assert all(isinstance(each, TurnedAway) for each in actions[:4])
    assert isinstance(actions[4], Goodbye)
    assert (actions[4].code, actions[4].failure) == (CloseCode.TOKEN, True)
    assert actions[4].last is not None
    assert actions[4].last.re == 4
    assert actions[5] == Nothing()


def test_where_a_nickname_is_not_enough_a_token_is() -> None:
    session = make(anonymous=False)
    assert refusal(tell(session, {"type": "auth", "id": 1, "nickname": "Ana"})) == (Reason.UNAUTHORIZED, 1)
    assert isinstance(tell(session, {"type": "auth", "id": 1, "token": "good"}), Entering)


@pytest.mark.parametrize("token", [{}, {"token": "good"}])
def test_names_of_the_staff_are_kept_for_them(token: dict[str, str]) -> None:
    session = make(ReservedNames(["security"]))
    action = tell(session, {"type": "auth", "id": 1, "nickname": "Sеcurity", **token})
    assert refusal(action) == (Reason.FORBIDDEN, 1)
    assert (session.state, session.member) == (State.HELLO, None)
    assert isinstance(tell(session, {"type": "auth", "id": 1, "nickname": "Ana"}), Entering)


@pytest.mark.parametrize("state", [State.ENTERING, State.AUTHENTICATED])
def test_nobody_becomes_somebody_else(state: State) -> None:
    session = make()
    tell(session, {"type": "auth", "id": 1, "nickname": "Ana"})
    if state is State.AUTHENTICATED:
        session.entered(Nickname("Ana"))
    assert refusal(tell(session, {"type": "auth", "id": 2, "token": "good"})) == (Reason.FORBIDDEN, 2)
    assert (session.state, session.member) == (state, NEW)


# Rooms


@pytest.mark.parametrize("frame", REQUESTS, ids=lambda frame: frame["type"])
def test_requests_are_for_rooms_that_are_joined(frame: dict[str, Any]) -> None:
    assert refusal(tell(inside(), frame)) == (Reason.NOT_JOINED, 9)
    action = tell(joined(), frame)
    assert action == Route(decode(json.dumps(frame)))  # type: ignore[arg-type]


def test_typing_is_never_answered() -> None:
    assert tell(make(), TYPING) == tell(inside(), TYPING) == Nothing()
    session = joined()
    said = [tell(session, TYPING) for _ in range(5)]
    assert said == [Route(client.Typing(RoomName("main-stage")))] * 3 + [Nothing()] * 2
    assert isinstance(tell(session, TYPING, at=1.01), Route)


def test_a_request_may_follow_its_join_at_once() -> None:
    session = inside()
    tell(session, JOIN)
    assert isinstance(tell(session, send()), Route)


def test_a_join_that_is_refused_was_none() -> None:
    session = inside()
    tell(session, JOIN)
    session.left(RoomName("main-stage"))
    assert refusal(tell(session, send())) == (Reason.NOT_JOINED, 0)


def test_a_room_joined_by_code_goes_by_its_name() -> None:
    session = inside()
    tell(session, {"type": "join", "id": 1, "room": "blue-stage-42"})
    session.joined(RoomName("blue-stage-42"), RoomName("main-stage"))
    assert isinstance(tell(session, send()), Route)
    assert refusal(tell(session, send() | {"room": "blue-stage-42"})) == (Reason.NOT_JOINED, 0)


def test_a_connection_holds_so_many_rooms_and_may_join_them_again() -> None:
    session = inside(rooms=2, joins_burst=99)
    for room in ("r-1", "r-2", "r-1"):
        assert isinstance(tell(session, JOIN | {"room": room}), Route)
    assert refusal(tell(session, JOIN | {"room": "r-3"})) == (Reason.FULL, 9)
    session.left(RoomName("r-1"))
    assert isinstance(tell(session, JOIN | {"room": "r-3"}), Route)


def test_a_phone_comes_back_with_all_its_rooms_at_once() -> None:
    session = inside()
    since = {"epoch": "k3v9", "seq": 4}
    for n in range(32):
        action = tell(session, JOIN | {"room": f"room-{n}", "since": since})
        assert isinstance(action, Route)
        assert action.pause_s == 0


def test_fresh_joins_are_fewer() -> None:
    session = inside(backpressure_s=0)
    said = [tell(session, JOIN | {"room": f"room-{n}"}) for n in range(11)]
    assert all(isinstance(each, Route) for each in said[:10])
    assert refusal(said[10]) == (Reason.RATE, 9)


# Frames that are none


def test_bad_frames_are_answered_and_ten_in_five_seconds_end_it() -> None:
    session = make()
    for n in range(9):
        action = tell(session, '{"type":"join","id":7,"room":"!"}', at=n * 0.5)
        assert refusal(action) == (Reason.BAD_FRAME, 7)
        assert isinstance(action, Say)
        assert isinstance(action.frame, server.ErrorFrame)
        assert action.frame.path == "room"
    last = tell(session, "no", at=4.9)
    assert isinstance(last, Goodbye)
    assert (last.code, session.state) == (CloseCode.BAD_PROTOCOL, State.CLOSING)


def test_bad_frames_now_and_then_are_borne() -> None:
    session = make()
    assert all(isinstance(tell(session, "no", at=n * 0.6), Say) for n in range(100))


def test_an_unknown_type_is_answered_and_no_offence() -> None:
    session = make()
    for n in range(100):
        assert refusal(tell(session, {"type": "teleport", "id": 5}, at=n * 0.2)) == (Reason.UNKNOWN_TYPE, 5)


def test_a_long_text_is_too_big() -> None:
    assert refusal(tell(joined(), send() | {"text": "x" * 2_001})) == (Reason.TOO_BIG, 0)


# Pace


def test_excess_is_slowed_then_refused_then_ends() -> None:
    session = joined()
    said = [tell(session, send(n)) for n in range(60)]
    assert [each.pause_s for each in said[:10]] == [0.0] * 10
    slowed = [each for each in said if isinstance(each, Route) and each.pause_s]
    assert sum(each.pause_s for each in slowed) == pytest.approx(2.0)
    refused = said[10 + len(slowed) :]
    assert [refusal(each)[0] for each in refused[:20]] == [Reason.RATE] * 20
    first = refused[0]
    assert isinstance(first, Say)
    assert isinstance(first.frame, server.ErrorFrame)
    assert first.frame.retry
    assert first.frame.retry_after_ms == pytest.approx(1000, abs=1)
    # The first one was told; the next twenty did not listen.
    end = refused[20]
    assert isinstance(end, Goodbye)
    assert (end.code, end.retry_after_ms) == (CloseCode.ABUSIVE, 60_000)
    assert end.last is not None
    assert all(each == Nothing() for each in refused[21:])


def test_who_waits_as_told_is_served_for_ever() -> None:
    """A client that sends, is refused, waits and sends again is refused five times a second. It used to be closed as
    abusive after four seconds, for doing exactly what it was told."""
    session, now = joined(backpressure_s=0), 0.0
    for n in range(100):
        action = tell(session, send(n), now)
        if not isinstance(action, Route):
            assert isinstance(action, Say)
            assert isinstance(action.frame, server.ErrorFrame)
            assert action.frame.retry_after_ms is not None
            now += action.frame.retry_after_ms / 1000
            assert isinstance(tell(session, send(n), now), Route)


def test_retries_spend_no_budget() -> None:
    session = joined(backpressure_s=0)
    for n in range(100):
        assert isinstance(tell(session, send(n)), Route)
        session.refund_send()


def test_writes_share_a_budget_that_reads_do_not_touch() -> None:
    session = joined(backpressure_s=0, burst=3, control_burst=5)
    for frame in (REQUESTS[1], REQUESTS[2], REQUESTS[3]):
        assert isinstance(tell(session, frame), Route)
    assert refusal(tell(session, send())) == (Reason.RATE, 0)
    # Five, of which `auth` was one.
    for frame in (REQUESTS[4], REQUESTS[5], REQUESTS[6], REQUESTS[5]):
        assert isinstance(tell(session, frame), Route)
    assert refusal(tell(session, REQUESTS[5])) == (Reason.RATE, 9)


def test_bytes_are_counted_as_they_travel() -> None:
    session = make(backpressure_s=0, bad_frames=99)
    big = json.dumps({"type": "x", "pad": "é" * 8_000}, ensure_ascii=False)
    said = [refusal(tell(session, big))[0] for _ in range(5)]
    assert said == [Reason.UNKNOWN_TYPE] * 4 + [Reason.RATE]


def test_typing_in_large_frames_is_too_fast_as_anything_else() -> None:
    """Only too many were meant to be dropped without a word; too many bytes were too, and one client took a core."""
    session = joined(backpressure_s=0)
    big = json.dumps(TYPING | {"pad": "x" * 16_000})
    said = [tell(session, big) for _ in range(30)]
    assert [action for action in said[:4] if not isinstance(action, Route | Nothing)] == []
    assert refusal(said[4]) == (Reason.RATE, None)
    assert [action.code for action in said if isinstance(action, Goodbye)] == [CloseCode.ABUSIVE]


def test_strangers_cannot_knock_for_ever() -> None:
    session = make(backpressure_s=0)
    said = [tell(session, JOIN | {"room": f"room-{n}", "since": {"epoch": "a", "seq": 0}}) for n in range(20)]
    assert all(refusal(each) == (Reason.UNAUTHORIZED, 9) for each in said[:19])
    assert isinstance(said[19], Goodbye)
    assert said[19].code == CloseCode.ABUSIVE


# Heartbeats


def test_an_echo_tells_the_round_trip_once() -> None:
    session = inside()
    frame = session.heartbeat(10.0, WALL + 0.125)
    assert frame == server.HeartbeatFrame(WALL + 0.125)
    echo = {"type": "heartbeat", "t": frame.t, "at": {"main-stage": 4}}
    assert tell(session, echo, at=10.25) == Beat(0.25, None)
    assert tell(session, echo, at=10.5) == Beat(None, None)


def test_an_echo_of_something_else_tells_nothing() -> None:
    session = inside()
    assert tell(session, {"type": "heartbeat", "t": WALL}) == Beat(None, None)
    session.heartbeat(10.0, WALL)
    assert tell(session, {"type": "heartbeat", "t": WALL + 1}, at=11) == Beat(None, None)
    assert tell(session, {"type": "heartbeat", "t": WALL}, at=11) == Beat(1.0, None)


def test_a_client_may_ask_whether_anybody_is_there() -> None:
    action = tell(make(), {"type": "heartbeat", "id": 4})
    assert action == Beat(None, server.Ok(4))  # type: ignore[arg-type]


def test_after_the_end_nothing_matters() -> None:
    session = joined()
    session.close()
    assert {tell(session, frame) for frame in ("no", '{"type":"heartbeat"}', json.dumps(send()))} == {Nothing()}


def test_hello_says_the_numbers_that_are_kept() -> None:
    limits = SessionLimits(messages_per_s=2.5, burst=3, rooms=4, text_code_points=5, authenticate_s=1.5, frame_bytes=6)
    said = hello(limits, "n1", WALL, server.HeartbeatTimes(Count(1), Count(2)), server.Retention(1, Count(2), Count(3)))
    assert (said.v, said.node, said.now) == (1, "n1", WALL)
    assert (said.limits.messages_per_s, said.limits.burst, said.limits.rooms) == (2.5, 3, 4)
    assert (said.limits.text_code_points, said.limits.frame_bytes, said.limits.authenticate_ms) == (5, 6, 1500)
