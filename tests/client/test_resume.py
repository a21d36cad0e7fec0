"""The client against a server that goes wrong at every point there is. Virtual time, streams in memory."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from bandstand.client import (
    Backoff,
    CannotConnect,
    CaughtUp,
    Client,
    ConnectionState,
    Gap,
    Message,
    Refused,
    SessionOver,
    State,
    connect,
)
from tests.client.fake_server import Close, FakeHouse, Fault, no
from tests.client.listening import at, listen, listen_on


async def test_a_server_that_never_says_hello_is_given_up_after_a_while(autojump_clock: MockClock) -> None:
    house = FakeHouse(silent=True)
    with pytest.raises(CannotConnect, match="within 15 s"):
        async with at(house):
            pass
    assert trio.current_time() < 30


async def test_nobody_there_says_so_at_once(autojump_clock: MockClock) -> None:
    with pytest.raises(CannotConnect, match="does not answer"):
        async with at(FakeHouse(down=True)):
            pass


async def test_a_patient_program_gets_in_when_the_server_comes(autojump_clock: MockClock) -> None:
    house = FakeHouse(down=True)

    async def later() -> None:
        await trio.sleep(300)
        house.down = False

    async with trio.open_nursery() as nursery:
        nursery.start_soon(later)
        async with at(house, patient=True) as client:
            assert client.online
            assert 300 <= trio.current_time() <= 340


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 101 Swi", b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", b"<html>Welcome to the Wi-Fi"],
    ids=["hangs up", "is cut", "502", "not HTTP"],
)
async def test_what_a_proxy_says_while_the_server_is_gone_ends_nothing(
    answer: bytes, autojump_clock: MockClock
) -> None:
    """Who was in lost the session for good, words kept for later and all, when a proxy hung up on the handshake."""
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage", listen=False)
        house.gone_behind_a_proxy = answer
        house.cut_all()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(room.send, "kept")
            await trio.sleep(120)
            assert client.state.state is not State.OVER
            house.gone_behind_a_proxy = None
        assert client.online


@pytest.mark.parametrize("code", [1000, 4400, 4401, 4403, 4406, 4409, 4413, 4429, 4499, 1002, 1003, 1007, 1010])
async def test_codes_that_say_stay_away_end_everything_with_a_clear_error(code: int, autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage")
        house.refuse = lambda frame: no(frame, "busy", 60_000)
        async with trio.open_nursery() as nursery:

            async def send() -> None:
                with pytest.raises(SessionOver):
                    await room.send("never")

            nursery.start_soon(send)
            await trio.sleep(1)
            house.say_all(Close(code))
        assert client.state.state is State.OVER
        with trio.fail_after(60), pytest.raises(SessionOver) as over:
            await listen_on(room)
        assert over.value.code == code
        with pytest.raises(SessionOver):
            await client.join("other-stage")
        await trio.sleep(100)
        assert house.arrivals == 1


async def test_a_planned_close_is_followed_to_the_millisecond(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        await client.join("main-stage", listen=False)
        events: Any = client.events()
        for n in range(4):
            before = trio.current_time()
            house.say_all(Close(4200, 7_000))
            while (await anext(events)).state is not State.OFFLINE:
                pass
            while (await anext(events)).state is not State.ONLINE:
                pass
            assert 7.0 <= trio.current_time() - before < 7.1, n


async def test_back_off_grows_with_full_jitter_and_is_forgotten_after_a_sound_connection() -> None:
    ceilings: list[float] = []

    def highest(low: float, high: float) -> float:
        assert low == 0.0
        ceilings.append(high)
        return high

    backoff = Backoff(uniform=highest)
    waits = [backoff.seconds(1006, None) for _ in range(9)]
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert backoff.seconds(4100, 90_000) == 90.0
    backoff.lasted(1.0)
    assert backoff.seconds(1006, None) == 30.0
    backoff.lasted(11.0)
    assert backoff.seconds(1006, None) == 0.25
    assert backoff.seconds(4200, 0) == 0.0


async def test_a_dead_server_is_noticed_without_a_word(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        await client.join("main-stage")
        before = trio.current_time()
        house.faults[house.step + 1] = Fault.STALL
        house.room("main-stage").say("Bo", "into the void")
        async for event in client.events():
            if isinstance(event, ConnectionState) and event.state is State.OFFLINE:
                break
        assert 59 < trio.current_time() - before < 61


async def test_heartbeats_are_echoed_with_positions_of_at_most_eight_rooms(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        for n in range(10):
            house.room(f"room-{n}").say("Bo", "hi")
            await client.join(f"room-{n}", listen=False)
        await trio.sleep(1)
        house.say_all({"type": "heartbeat", "t": 12.5})
        await trio.sleep(1)
        (echo, *_) = house.visits[0].echoes
        assert echo.t == 12.5
        assert echo.at == {f"room-{n}": 1 for n in range(2, 10)}


async def test_a_gap_is_told_and_nothing_is_skipped_silently(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    stage.say("Bo", "one")
    heard: list[Any] = []
    async with at(house) as client, trio.open_nursery() as nursery:
        nursery.start_soon(listen, await client.join("main-stage"), heard)
        await trio.sleep(1)
        house.down = True
        house.cut_all()
        await trio.sleep(1)
        for n in range(5):
            stage.say("Bo", f"away {n}")
        stage.oldest = 4
        house.down = False
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    log = [(type(e).__name__, getattr(e, "seq", None)) for e in heard]
    assert log == [
        ("Message", 1), ("CaughtUp", 1), ("Gap", None), ("Message", 4), ("Message", 5), ("Message", 6), ("CaughtUp", 6),
    ]  # fmt: skip
    assert heard[2] == Gap("main-stage", 2, 3, "trimmed")


async def test_a_room_that_began_anew_is_read_from_its_new_beginning(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    for n in range(5):
        stage.say("Bo", f"old {n}")
    heard: list[Any] = []
    async with at(house) as client, trio.open_nursery() as nursery:
        room = await client.join("main-stage")
        nursery.start_soon(listen, room, heard)
        await trio.sleep(1)
        stage.begin_anew("2m3250v002t4")
        for n in range(3):
            stage.say("Bo", f"new {n}")
        house.cut_all()
        await trio.sleep(60)
        house.cut_all()
        await trio.sleep(60)
        assert room.position is not None
        assert (room.position.epoch, room.position.seq) == ("2m3250v002t4", 3)
        nursery.cancel_scope.cancel()
    assert [e.text for e in heard if isinstance(e, Message)] == [f"old {n}" for n in range(5)] + [
        f"new {n}" for n in range(3)
    ]
    assert [e for e in heard if isinstance(e, Gap)] == [Gap("main-stage", 1, 0, "epoch")]


async def test_a_hole_that_the_server_does_not_name_is_named_by_the_client(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    stage = house.room("main-stage")
    stage.say("Bo", "one")
    heard: list[Any] = []
    async with at(house) as client, trio.open_nursery() as nursery:
        nursery.start_soon(listen, await client.join("main-stage"), heard)
        await trio.sleep(1)
        visits, stage.visits = stage.visits, []
        stage.say("Bo", "two")
        stage.visits = visits
        visits[0].cursor["main-stage"] = 2
        stage.say("Bo", "three")
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert heard[2:4] == [Gap("main-stage", 2, 2, "hole"), heard[3]]
    assert heard[3].seq == 3


async def test_connection_states_are_told(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    states: list[State] = []

    async def watch(client: Client) -> None:
        async for event in client.events():
            if isinstance(event, ConnectionState):
                states.append(event.state)

    async with at(house) as client, trio.open_nursery() as nursery:
        nursery.start_soon(watch, client)
        await trio.sleep(1)
        house.cut_all()
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    assert states == [State.CONNECTING, State.ONLINE, State.OFFLINE, State.CONNECTING, State.ONLINE]


async def test_events_of_all_rooms_come_in_the_order_of_arrival(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        for name in ("room-a", "room-b"):
            await client.join(name)
        for n in range(6):
            house.room("room-a" if n % 2 else "room-b").say("Bo", str(n))
            await trio.sleep(1)
        heard: list[Any] = []
        with trio.move_on_after(10):
            await listen(client.events(), heard)
        assert [e.text for e in heard if isinstance(e, Message)] == list("012345")


async def test_who_reads_a_room_and_everything_at_once_gets_each_event_in_one_of_the_two(
    autojump_clock: MockClock,
) -> None:
    """Both saw the same last event, and the second to take it fell over an empty queue: with it went whoever was to
    show the alerts."""
    house = FakeHouse()
    async with at(house) as client, trio.open_nursery() as nursery:
        room = await client.join("main-stage")
        heard: list[Any] = []
        for source in (room, room, client.events(), client.events()):
            nursery.start_soon(listen, source, heard)
        for n in range(50):
            house.room("main-stage").say("Bo", str(n))
            await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert sorted(event.seq for event in heard if isinstance(event, Message)) == list(range(1, 51))


async def test_leaving_says_goodbye(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        room = await client.join("main-stage")
        await room.leave()
        assert [event async for event in room] == []
        with pytest.raises(Refused):
            await room.send("gone")
        await client.aclose()
    await trio.sleep(1)
    assert "closed 1000" in house.log, house.log
    assert any("in Leave" in line for line in house.log)


async def test_the_bodys_own_error_comes_out_as_it_is(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(ZeroDivisionError):
            async with connect("fake", nickname="A", dial=FakeHouse().dialler(nursery)):
                raise ZeroDivisionError


async def test_a_room_that_refuses_is_refused_to_the_program_only(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    house.refuse = lambda frame: no(frame, "full", 10_000) if getattr(frame, "room", "") == "full-stage" else None
    async with at(house) as client:
        with pytest.raises(Refused, match="full"):
            await client.join("full-stage")
        assert (await client.join("main-stage")).name == "main-stage"


async def test_a_code_leads_to_its_room_and_both_names_to_the_same(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    house.room("blue-stage", "blue-stage-42")
    async with at(house) as client:
        room = await client.join("blue-stage-42")
        assert (room.name, room.code, room.title) == ("blue-stage", "blue-stage-42", "Blue Stage")
        again = await client.join("blue-stage")
        await again.send("one room")
        house.cut_all()
        await room.send("still one room")
        assert len(house.room("blue-stage").visits) == 1


async def test_two_names_of_one_room_at_the_same_moment_are_one_room(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    stage = house.room("blue-stage", "blue-stage-42")
    for n in range(5):
        stage.say("Bo", str(n))
    rooms: list[Any] = []
    heard: list[Any] = []

    async def join(client: Client, name: str) -> None:
        rooms.append(await client.join(name))

    async with at(house) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(join, client, "blue-stage")
            nursery.start_soon(join, client, "blue-stage-42")
        await rooms[0].send("six")
        house.cut_all()
        await rooms[1].send("seven")
        with trio.move_on_after(10):
            await listen(rooms[1], heard)
    assert [event.seq for event in heard if isinstance(event, Message)] == list(range(1, 8))
    assert not [event for event in heard if isinstance(event, Gap)]


async def test_the_same_person_comes_back(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    async with at(house) as client:
        member, token = client.member, client.token
        house.cut_all()
        await trio.sleep(10)
        assert client.member == member
    async with trio.open_nursery() as nursery:
        async with connect("fake", token=token, dial=house.dialler(nursery)) as client:
            assert (client.member, client.nickname) == (member, "Ana")
        nursery.cancel_scope.cancel()


async def test_a_token_that_is_no_good_is_refused_at_the_door(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(Refused, match="unauthorized"):
            async with connect("fake", token="stale", dial=FakeHouse().dialler(nursery)):
                pass
        nursery.cancel_scope.cancel()


async def test_old_entries_are_caught_up_before_live_ones(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    house.room("main-stage").say("Bo", "old")
    heard: list[Any] = []
    async with at(house) as client, trio.open_nursery() as nursery:
        nursery.start_soon(listen, await client.join("main-stage"), heard)
        await trio.sleep(1)
        house.room("main-stage").say("Bo", "live")
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert [type(e) for e in heard] == [Message, CaughtUp, Message]
