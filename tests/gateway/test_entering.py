"""Who comes back by token alone is called what they were, as far as that can be known, and is never renamed by it."""

from pathlib import Path

import pytest
import trio

from actors.journal.desk import Desk
from actors.journal.log import LogFailed
from tests.gateway.serving import Live, serving
from tests.wire.peer import settled


def alerts_name(live: Live, member: str) -> str:
    people = live.served.house.alert_board.roster.people
    return people[member].nickname if member in people else "(nobody)"  # type: ignore[index]


async def down(*_args: object) -> None:
    raise LogFailed("the disk is away")


async def test_without_the_journal_the_alerts_know_what_somebody_is_called(tmp_path: Path) -> None:
    """A server of alerts alone called everybody "Guest", in the ledger of who has not answered too."""
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            _, ready = await live.member(nickname="Ana")
            await settled(lambda: alerts_name(live, ready["member"]) == "Ana")
        async with serving(tmp_path, alerts_only=True) as live:
            _, again = await live.member(token=ready["token"])
            assert again["nickname"] == "Ana"
            await settled(lambda: live.served.house.tally.people.online)
            assert alerts_name(live, ready["member"]) == "Ana"


async def test_a_name_that_cannot_be_looked_up_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal was away for a moment, and whoever came back just then was "Guest" for good."""
    with trio.fail_after(20):
        async with serving(tmp_path) as live:
            peer, ready = await live.member(nickname="Ana")
            await settled(lambda: alerts_name(live, ready["member"]) == "Ana")
            peer.sock.close()
            roster = live.served.house.alert_board.roster
            known = roster.people.pop(ready["member"])  # type: ignore[call-overload]
            with monkeypatch.context() as during:
                during.setattr(Desk, "roster", down)
                peer, guest = await live.member(token=ready["token"])
                assert guest["nickname"] == "Guest"
            roster.load(ready["member"], known.nickname, 0.0, ())  # type: ignore[arg-type]
            assert alerts_name(live, ready["member"]) == "Ana"
            _, again = await live.member(token=ready["token"])
            assert again["nickname"] == "Ana"
