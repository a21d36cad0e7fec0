"""A room of a thousand that stumbles at the n-th turn of every callback it has, under load; the counts are printed."""

import itertools
from collections.abc import Callable

import pytest
import trio
from trio.testing import MockClock

from actors.room.messages import Joined
from tests.room.hall import MAIN, Phone, open_hall
from tests.room.test_actor_crashes import OTHER, WHILE_TALKING, say_until_heard, typing

CROWD = 1_000
TURNS = (1, 2, 5)
NOT_HERE = {"voice.diff", "voice.typing"}
"""Who is typing, and who came, is not told to so many."""
POINTS = sorted({point for point, _ in WHILE_TALKING} - NOT_HERE)


async def talk(hall_crowd: list[Phone], number: int) -> None:
    """Forty people write, one reacts, one types, one leaves and comes again, one joins anew."""
    async with trio.open_nursery() as nursery:
        for n in range(40):
            phone = hall_crowd[(n * 23 + number) % CROWD]
            nursery.start_soon(say_until_heard, phone, f"word-{number}-{n}")
            await trio.sleep(0.001 if n % 10 == 9 else 0)
    restless = hall_crowd[0]
    restless.react(2, "+", number % 2 == 0)
    restless.hall.house.refs[MAIN].tell(typing(restless))
    await restless.leave().wait()
    await trio.sleep(2)
    for phone in (restless, hall_crowd[1]):
        while not isinstance(await phone.rejoin().wait(), Joined):  # noqa: ASYNC110
            await trio.sleep(0.2)
    await trio.sleep(2)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
async def test_a_room_of_a_thousand_restarts_alone_and_nobody_loses_or_repeats_a_word(
    point: str, autojump_clock: MockClock, figures: Callable[[str], None]
) -> None:
    async with open_hall() as hall:
        crowd = await hall.crowd(CROWD)
        bystander = await hall.guest("m_by", OTHER)
        assert await hall.set_policy(cid="rules", max_members=1_234)
        talks = itertools.count()
        for number, turn in enumerate(TURNS):
            hall.faults.arm(point, turn)
            while len(hall.faults.raised) == number:  # some callbacks come once a talk
                await talk(crowd, next(talks))
            await bystander.post("elsewhere", OTHER).wait()
            await hall.all_level(crowd)
            await trio.sleep(30)
        await hall.all_level([bystander], OTHER)
        heard = [phone.place().got for phone in crowd[1:]]
        head = hall.head()
        assert hall.faults.raised == [point] * len(TURNS)
        assert set(hall.crashes) == {"room:main"}
        assert len(hall.crashes) == len(TURNS)
        assert all(got == list(range(1, head + 1)) for got in heard)
        assert (await hall.census()).policy.max_members == 1_234
        figures(
            f"{CROWD:,} members, {len(hall.crashes)} crashes of room:main alone, {head} entries, "
            f"{sum(map(len, heard)):,} heard, 0 lost, 0 repeated, the rules stand"
        )
