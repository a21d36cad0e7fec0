"""A plain life with a fault at every step of it: nothing is lost, nothing comes twice. Virtual time, no sockets."""

from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from bandstand.client import Gap, Message
from tests.client.fake_server import Close, FakeHouse, Fault
from tests.client.listening import at, listen, seqs


async def life(house: FakeHouse, sends: int) -> tuple[list[Any], list[int]]:
    """Join a room with 3 entries, say `sends` things while the house says as many; what was heard, what was stored."""
    stage = house.room("main-stage")
    for n in range(3):
        stage.say("Bo", f"before {n}")
    heard: list[Any] = []
    stored = []
    with trio.fail_after(3_600):
        async with at(house, patient=True) as client:
            room = await client.join("main-stage", tail=50)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen, room, heard)
                for n in range(sends):
                    stored.append((await room.send(f"mine {n}")).seq)
                    stage.say("Bo", f"theirs {n}")
                await trio.sleep(200)
                nursery.cancel_scope.cancel()
    return heard, stored


def check(house: FakeHouse, heard: list[Any], stored: list[int], sends: int) -> None:
    stage = house.room("main-stage")
    story = "\n".join(house.log)
    assert seqs(heard) == list(range(1, stage.head + 1)), story
    assert [e.text for e in heard if isinstance(e, Message)] == [e.text for e in stage.entries], story
    assert [e.text for e in stage.entries if e.text.startswith("mine")] == [f"mine {n}" for n in range(sends)], story
    assert [stage.entries[seq - 1].text for seq in stored] == [f"mine {n}" for n in range(sends)], story
    assert not [e for e in heard if isinstance(e, Gap)], story


async def test_a_quiet_life_tells_everything_once(autojump_clock: MockClock) -> None:
    house = FakeHouse()
    heard, stored = await life(house, 3)
    check(house, heard, stored, 3)
    assert house.arrivals == 1
    assert stored == [4, 6, 8]


async def steps_of_a_life() -> int:
    house = FakeHouse()
    await life(house, 2)
    return house.step


@pytest.mark.parametrize(
    "fault",
    [Fault.CUT, Fault.STALL, Fault.TWICE, Close(4100), Close(4200, 700), Close(4999, said=False)],
    ids=str,
)
async def test_one_fault_at_every_step_loses_and_repeats_nothing(fault: Any, autojump_clock: MockClock) -> None:
    steps = await steps_of_a_life()
    assert steps > 20
    for step in range(1, steps + 1):
        house = FakeHouse({step: fault})
        heard, stored = await life(house, 2)
        check(house, heard, stored, 2)
        assert house.arrivals == (1 if fault is Fault.TWICE else 2), house.log


FAULTS = st.sampled_from(
    [Fault.CUT, Fault.CUT, Fault.TWICE, Fault.STALL, Close(4100), Close(4200, 50), Close(1006, said=True)]
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(faults=st.dictionaries(st.integers(1, 120), FAULTS, max_size=25), sends=st.integers(0, 5))
def test_whatever_the_faults_every_entry_comes_once_in_order_and_every_send_is_stored_once(
    faults: dict[int, Any], sends: int
) -> None:
    async def run() -> None:
        house = FakeHouse({step: Close(1011) if f == Close(1006, said=True) else f for step, f in faults.items()})
        heard, stored = await life(house, sends)
        check(house, heard, stored, sends)

    trio.run(run, clock=MockClock(autojump_threshold=0))
