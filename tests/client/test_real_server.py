"""The client and the real server over real sockets that are cut at random places, in the middle of frames too."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from bandstand.address import Address
from bandstand.client import Backoff, Deleted, Edited, Message, PolicyChanged, Reactions, Refused, Removed, connect
from bandstand.socket import Dial, dialler
from gateway.app import App
from tests.cli.running import settings_of

ROOMY = {
    "limits__messages_per_s": 10_000,
    "limits__burst": 10_000,
    "limits__inbound_bytes_per_s": 100_000_000,
    "limits__joins_per_s": 1_000,
    "limits__joins_burst": 1_000,
}
QUICK = Backoff(uniform=lambda low, high: min(high, 0.05))


class Fragile(trio.abc.Stream):
    """Breaks for good after so many bytes in and out, wherever in a frame that is."""

    def __init__(self, stream: trio.abc.Stream, bytes_left: int) -> None:
        self._stream = stream
        self._left = bytes_left

    async def _break(self) -> None:
        await trio.aclose_forcefully(self._stream)
        raise trio.BrokenResourceError("cut")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        goes, self._left = data[: self._left], max(0, self._left - len(data))
        await self._stream.send_all(goes)
        if len(goes) < len(data):
            await self._break()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._left == 0:
            await self._break()
        data = await self._stream.receive_some(max_bytes)
        comes, self._left = bytes(data)[: self._left], max(0, self._left - len(data))
        return comes

    async def aclose(self) -> None:
        await self._stream.aclose()


def fragile(dice: random.Random, most: int) -> tuple[Dial, Callable[[], int]]:
    real, dials = dialler(), [0]

    async def dial(address: Address) -> trio.abc.Stream:
        dials[0] += 1
        return Fragile(await real(address), dice.randrange(600, most))

    return dial, lambda: dials[0]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_line_that_breaks_all_the_time_loses_and_repeats_nothing(seed: int, tmp_path: Path) -> None:
    heard: dict[str, list[Any]] = {"Ana": [], "Bo": []}

    async def talk(url: str, name: str) -> None:
        dial, dials = fragile(random.Random(f"{seed}{name}"), 9_000)
        async with connect(url, nickname=name, patient=True, dial=dial, backoff=QUICK) as client:
            room = await client.join("main-stage", tail=200)

            async def listen() -> None:
                async for event in room:
                    if isinstance(event, Message):
                        heard[name].append((event.seq, event.nickname, event.text))
                        if event.seq == 80:
                            break

            async with trio.open_nursery() as nursery:
                nursery.start_soon(listen)
                for n in range(40):
                    await room.send(f"{name} {n}")
        assert dials() > 5

    with trio.fail_after(60):
        async with App(settings_of(tmp_path, **ROOMY)).serve() as serving, trio.open_nursery() as nursery:
            url = f"http://127.0.0.1:{serving.addresses[0].port}"
            nursery.start_soon(talk, url, "Ana")
            nursery.start_soon(talk, url, "Bo")
    assert heard["Ana"] == heard["Bo"]
    assert [seq for seq, _, _ in heard["Ana"]] == list(range(1, 81))
    for name in heard:
        assert [text for _, who, text in heard["Ana"] if who == name] == [f"{name} {n}" for n in range(40)]


async def test_everything_a_room_can_do(tmp_path: Path) -> None:
    async with App(settings_of(tmp_path, **ROOMY)).serve() as serving:
        url = f"http://127.0.0.1:{serving.addresses[0].port}"
        with trio.fail_after(20):
            async with connect(url, nickname="Ana") as ana, connect(url, nickname="Ana") as other:
                room = await ana.join("main-stage")
                there = await other.join(room.code)
                assert (there.name, there.nickname) == ("main-stage", "Ana-2")
                first = await room.send("hello", cid="mine")
                assert (await room.send("hello", cid="mine")).dup
                with pytest.raises(Refused, match="cid"):
                    await room.send("other words", cid="mine")
                await there.send("good evening", reply_to=first.seq)
                with pytest.raises(Refused) as refused:
                    await there.edit(first.seq, "not mine")
                assert refused.value.code == "forbidden"
                await room.edit(first.seq, "hello there")
                await there.react(first.seq, "🎉")
                page = await room.history()
                assert [type(item) for item in page.items] == [Message, Message, Edited]
                newest = page.items[0]
                assert isinstance(newest, Message)
                assert (newest.text, dict(newest.reactions)) == ("hello there", {"🎉": 1})
                await room.delete(first.seq)
                erased = (await room.history()).items
                assert [type(item) for item in erased] == [Removed, Message, Edited, Deleted]
                assert "hello" not in repr(erased)
                assert {card.nickname for card in await room.everybody()} == {"Ana", "Ana-2"}
                await room.react(2, "👍")
                seen = set()
                async for event in there:
                    seen.add(type(event))
                    if Reactions in seen:
                        break
                assert PolicyChanged not in seen
                await there.leave()
                with pytest.raises(Refused, match="left"):
                    await there.send("gone")
                member, token = ana.member, ana.token
            async with connect(url, token=token) as again:
                assert again.member == member
            with pytest.raises(Refused) as turned_away:
                async with connect(url, token=token[:-2] + "xx"):
                    pass
            assert turned_away.value.code == "unauthorized"
