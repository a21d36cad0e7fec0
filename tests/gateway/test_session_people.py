"""Who is connected, over real sockets, when the registry of people has crashed."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from actors.alerts.messages import Raise
from actors.alerts.vocabulary import Alert
from actors.kernel import ActorGone
from actors.people.registry import Everyone
from tests.alerts.making import draft
from tests.gateway.serving import Live, hear, serving


async def crash_people(live: Live) -> None:
    def stumble() -> None:
        raise RuntimeError("a fault")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live.served.house.visits, "everyone", stumble)
        with pytest.raises(ActorGone):
            await live.served.house.people.ask(Everyone)


async def raise_alert(live: Live) -> None:
    def order(asks: Any) -> Raise:
        return Raise(asks, draft(rooms=None, all=True), "tester")

    assert isinstance(await live.served.house.alerts.ask(order), Alert)


async def here(live: Live) -> set[str]:
    return {str(visit.nickname) for visit in await live.served.house.people.ask(Everyone)}


async def until(here: Any, wanted: set[str]) -> None:
    with trio.fail_after(60):
        while await here() != wanted:  # noqa: ASYNC110
            await trio.sleep(0.01)


@pytest.mark.parametrize("crashes", [1, 4])
async def test_an_alert_reaches_whoever_is_connected_after_a_crash_of_people(crashes: int, tmp_path: Path) -> None:
    async with serving(tmp_path) as live:
        before = [await live.joined("Ana"), (await live.member(nickname="Bo"))[0]]
        gone = await live.joined("Cy")
        for _ in range(crashes):
            await crash_people(live)
        gone.sock.close()
        late = await live.joined("Di")
        await raise_alert(live)
        for peer in (*before, late):
            assert (await hear(peer, "alert"))["info"]["en"]["headline"] == "Leave by the north gate"
        await until(partial(here, live), {"Ana", "Bo", "Di"})
