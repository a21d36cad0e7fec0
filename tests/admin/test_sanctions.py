"""Bans and mutes over restarts; addresses that are shut out, for a time always."""

from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from actors.admin.roles import Role
from tests.admin.office import Ahead, Office, open_office

DAY_S = 86_400.0
ADDRESS = {"address": "10.0.0.7"}


@pytest.mark.parametrize("kind", ["ban", "mute"])
async def test_what_a_timed_sanction_was_laid_over_holds_again_though_its_time_ended_while_the_server_was_down(
    tmp_path: Path, kind: str
) -> None:
    clock = Ahead()
    with trio.fail_after(60):
        async with open_office(tmp_path, clock) as office:
            member = (await office.come(1, "main-stage")).member
            await office.do(f"member.{kind}", {"member": member}, reason="threats")
            await office.do(f"member.{kind}", {"member": member}, by="bo", ttl_s=50.0, reason="a minute")
        clock.seconds = 100.0
        async with open_office(tmp_path, clock) as office:
            while (await office.audit())[-1] != ("house", "act.undo", "ok"):  # noqa: ASYNC110 - it is due, and is done
                await trio.sleep(0.02)
            (holds,) = office.house.standing.sanctions()
            assert (holds.kind, holds.reason, holds.until) == (kind, "threats", None)
            while not (over := [event for event in office.house.feed.replay() if "is over" in event.text]):  # noqa: ASYNC110
                await trio.sleep(0.02)  # told once the row is written
            assert [event.data["left"] for event in over] == [[]]


async def test_a_ban_of_an_address_ends_by_itself_though_no_time_was_given(autojump_clock: MockClock) -> None:
    """It was for ever, and after a day nothing but the database could lift it: a whole festival stayed out."""
    async with open_office() as office:
        await office.do("address.ban", ADDRESS)
        await trio.sleep(3_590)
        assert shut_out(office)
        await trio.sleep(20)
        assert not shut_out(office)
        assert office.house.standing.sanctions() == ()


async def test_a_ban_of_an_address_is_lifted_at_any_time(autojump_clock: MockClock) -> None:
    clock = Ahead()
    async with open_office(clock=clock) as office:
        assert await office.refused("address.ban", ADDRESS, ttl_s=30 * DAY_S + 1) == "bad_frame"
        assert await office.refused("address.unban", ADDRESS) == "not_found"
        assert await office.refused("address.unban", {"address": "the one over there"}) == "bad_frame"
        await office.do("address.ban", ADDRESS, ttl_s=30 * DAY_S)
        clock.seconds = 20 * DAY_S
        assert shut_out(office)
        assert await office.refused("address.unban", ADDRESS, role=Role.MODERATOR) == "forbidden"
        lifted = await office.do("address.unban", ADDRESS, role=Role.OPERATOR)
        assert not shut_out(office)
        await office.do("act.undo", {"act": lifted.act})
        assert shut_out(office)
        await office.do("address.unban", ADDRESS)
        clock.seconds = 31 * DAY_S
        await office.do("room.thaw", {"room": "main-stage"})
        await trio.sleep(10)
        assert not shut_out(office)


def shut_out(office: Office) -> bool:
    standing, now = office.house.standing, office.house.clock.now().wall
    return standing.may_come_in(None, ADDRESS["address"], now) is not None
