"""What is old goes, each hour."""

import time
from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock

from actors.admin.acts import Act, ActState, digest_of
from actors.admin.store import AdminStore
from actors.stats.activity import Event
from gateway.app import App
from tests.cli.running import settings_of

NOW = 1e9


async def test_each_hour_what_is_old_goes(autojump_clock: MockClock) -> None:
    """Events, and acts that are over. Never an act that can be undone or is under way, nor the newest of either."""

    def act(name: str, state: ActState, at: float, command: str = "room.freeze") -> Act:
        return Act(name, "ana", name, digest_of(command, {}), at, command, {}, {}, {}, NOW, state)

    old, day = NOW - 86_400.0, 86_400.0
    async with await AdminStore.open(None, wall=lambda: NOW) as store:
        await store.activity.append([Event(n, old, "act", "old") for n in range(1, 2_501)])
        await store.activity.append([Event(3_000, NOW, "act", "new")])
        for n in range(1_100):
            await store.acts.save(act(f"settled{n}", ActState.SETTLED, old))
        kept = [
            act("open", ActState.DONE, old),
            act("away", ActState.SETTLED, old, "room.evacuate"),
            act("new", ActState.SETTLED, NOW),
            act("newest", ActState.SETTLED, old),
        ]
        for each in (act("undone", ActState.UNDONE, old), *kept[:-1]):
            await store.acts.save(each)
        await store.acts.begin(act("begun", ActState.BEGUN, old))
        await store.acts.save(kept[-1])
        async with trio.open_nursery() as nursery:
            began = trio.current_time() + 60.0
            nursery.start_soon(partial(store.keep, old=lambda: NOW - day + trio.current_time() - began))
            await trio.sleep(30)
            assert len(await store.acts.page(limit=5_000)) == 1_106, "nothing is older than a day yet"
            await trio.sleep(3_600)
            assert [each.n for each in await store.activity.page(limit=5_000)] == [3_000]
            assert [each.act for each in await store.acts.page(limit=5_000)] == [
                "newest",
                "begun",
                "new",
                "away",
                "open",
            ]
            nursery.cancel_scope.cancel()


async def test_a_server_lets_go_of_what_is_older_than_the_settings_say(tmp_path: Path) -> None:
    now = time.time()
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        await store.activity.append([Event(1, now - 7_200, "act", "old"), Event(2, now - 60, "act", "new")])
    app = App(settings_of(tmp_path, admin__keep_activity=3_600))
    with trio.fail_after(30):
        async with app.serve(), await AdminStore.open(tmp_path / "admin.db") as beside:
            while (await beside.activity.after(0, 1))[0].n == 1:  # noqa: ASYNC110 - another thread does it, at the start
                await trio.sleep(0.02)
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        assert [each.text for each in await store.activity.page(kind="act")] == ["new"]
