"""A token that was stolen is ended by an operator: for whoever is in with it, for whoever comes, and over restarts."""

from pathlib import Path

import pytest
import trio

from actors.journal.desk import Desk
from actors.journal.log import RosterRow
from actors.names import MemberId
from gateway.protocol.codes import CloseCode
from tests.gateway.serving import Live, ask, command, say, serving


async def refused(live: Live, token: str) -> bool:
    answer = await ask(await live.stranger(), "auth", token=token)
    return answer["type"] == "error" and "revoked" in answer["message"]


async def test_revoked_tokens_let_nobody_in_any_more(tmp_path: Path, quick_hashes: None) -> None:
    """They could be verified as revoked, and nothing could revoke them: a stolen one was renewed at each entry."""
    with trio.fail_after(30):
        async with serving(tmp_path) as live:
            owner, ready = await live.member(nickname="Ana")
            thief, renewed = await live.member(token=ready["token"])
            _, other = await live.member(nickname="Bo")
            operator = await live.operator()
            done = await command(operator, "member.revoke", member=ready["member"])
            assert (done["type"], done["undo"], done["detail"]["connections"]) == ("ok", "none", 2)
            for peer in (owner, thief):
                assert await peer.close_code() == CloseCode.TOKEN
            assert await refused(live, ready["token"])
            assert await refused(live, renewed["token"])
            _, again = await live.member(token=other["token"])
            assert again["member"] == other["member"]
            _, anew = await live.member(nickname="Ana")
            assert anew["member"] != ready["member"]
        async with serving(tmp_path) as live:
            assert await refused(live, renewed["token"])
            await live.member(token=other["token"])


async def test_who_is_just_coming_in_with_it_is_out_as_well(
    tmp_path: Path, quick_hashes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token was good when it was looked at; it would have been renewed a moment later."""
    found, going_on = trio.Event(), trio.Event()
    look = Desk.roster

    async def slow(desk: Desk, member: MemberId) -> RosterRow | None:
        row = await look(desk, member)
        if not found.is_set():
            found.set()
            await going_on.wait()
        return row

    with trio.fail_after(30):
        async with serving(tmp_path) as live:
            peer, ready = await live.member(nickname="Ana")
            peer.sock.close()
            operator, thief = await live.operator(), await live.stranger()
            monkeypatch.setattr(Desk, "roster", slow)
            await say(thief, "auth", id=1, token=ready["token"])
            await found.wait()
            done = await command(operator, "member.revoke", member=ready["member"])
            assert done["detail"]["connections"] == 1
            going_on.set()
            frames, code = await thief.ending()
            assert code == CloseCode.TOKEN
            assert not [frame for _, frame in frames if b'"ready"' in frame]
            assert await refused(live, ready["token"])
