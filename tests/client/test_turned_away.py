"""A door that says no, to somebody new or to somebody who comes back: what it means, and for how long."""

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from bandstand.client import CannotConnect, ConnectionState, Refused, SessionOver, State
from gateway.protocol.client import Auth
from tests.client.fake_server import FakeHouse, no
from tests.client.listening import at, listen


def shut(house: FakeHouse, code: str, retry_after_ms: int | None = None) -> None:
    house.refuse = lambda frame: no(frame, code, retry_after_ms) if isinstance(frame, Auth) else None


def open_again(house: FakeHouse) -> None:
    house.refuse = lambda frame: None


async def thrown_out(house: FakeHouse, code: str) -> BaseException:
    """What a program hears that is connected when the door begins to say `code`."""
    async with at(house) as client:
        room = await client.join("main-stage")
        shut(house, code)
        house.cut_all()
        with trio.fail_after(60), pytest.raises((Refused, SessionOver)) as over:
            await listen_to(room)
    return over.value


async def listen_to(room: Any) -> None:
    async for _ in room:
        pass


@pytest.mark.parametrize(("code", "close"), [("unauthorized", 4401), ("banned", 4403)])
async def test_who_may_not_come_back_is_told_why(code: str, close: int, autojump_clock: MockClock) -> None:
    """Every refusal was 4401, "the token is no good, come in by nickname", and a banned program did so."""
    over = await thrown_out(FakeHouse(), code)
    assert isinstance(over, SessionOver)
    assert (over.code, over.reason) == (close, f"{code} it is")


async def test_any_other_no_is_told_as_it_was_said(autojump_clock: MockClock) -> None:
    over = await thrown_out(FakeHouse(), "forbidden")
    assert isinstance(over, Refused)
    assert over.code == "forbidden"


async def test_a_ban_with_a_time_is_waited_out_and_said_meanwhile(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    heard: list[Any] = []
    async with at(house) as client, trio.open_nursery() as nursery:
        member = client.member
        nursery.start_soon(listen, client.events(), heard)
        shut(house, "banned", 600_000)
        house.cut_all()
        await trio.sleep(300)
        open_again(house)
        arrivals = house.arrivals
        assert client.state.state is State.OFFLINE
        assert client.state.why == "banned it is"
        assert client.state.retry_s is not None
        assert client.state.retry_s >= 600
        await trio.sleep(299)
        assert house.arrivals == arrivals == 2, "nobody knocks in between"
        await trio.sleep(60)
        assert (client.online, client.member) == (True, member)
        nursery.cancel_scope.cancel()
    assert any(isinstance(event, ConnectionState) and event.why == "banned it is" for event in heard)


@pytest.mark.parametrize("retry_after_ms", [None, 600_000])
async def test_somebody_new_hears_the_refusal_itself_with_its_time(
    retry_after_ms: int | None, autojump_clock: MockClock
) -> None:
    """With a time it was "cannot connect"."""
    house = FakeHouse()
    shut(house, "banned", retry_after_ms)
    with trio.fail_after(10), pytest.raises(Refused) as refused:
        async with at(house):
            pass
    assert (refused.value.code, refused.value.retry_after_ms) == ("banned", retry_after_ms)


async def test_a_patient_program_waits_as_long_as_it_is_told(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    shut(house, "banned", 600_000)
    async with trio.open_nursery() as nursery:

        async def later() -> None:
            await trio.sleep(30)
            open_again(house)

        nursery.start_soon(later)
        async with at(house, patient=True):
            assert 600 <= trio.current_time() < 640
            assert house.arrivals == 2


async def test_no_server_is_still_something_else(autojump_clock: MockClock) -> None:
    with pytest.raises(CannotConnect):
        async with at(FakeHouse(down=True)):
            pass
