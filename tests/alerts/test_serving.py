"""Alerts over a whole server and real sockets: past a slow reader, over a restart, without a chat."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.alerts.messages import Raise, Summary
from actors.alerts.vocabulary import Alert
from actors.names import RoomName
from bandstand.address import Address
from bandstand.socket import Socket, open_socket
from gateway.app import App, Serving
from tests.alerts.making import draft
from tests.cli.running import settings_of

ROOMY = {"limits__messages_per_s": 10_000, "limits__burst": 10_000, "limits__inbound_bytes_per_s": 100_000_000}


class Phone:
    """Frames as they are."""

    def __init__(self, wire: Socket) -> None:
        self.wire = wire
        self.token = ""

    async def say(self, **frame: Any) -> None:
        await self.wire.send(msgspec.json.encode(frame).decode())

    async def hear(self, kind: str) -> dict[str, Any]:
        with trio.fail_after(60):
            while True:
                frame: dict[str, Any] = msgspec.json.decode(await self.wire.receive())
                if frame["type"] == kind:
                    return frame

    async def enter(self, *rooms: str, token: str = "") -> dict[str, Any]:
        await self.say(type="auth", id=1, **({"token": token} if token else {"nickname": "Ana"}))
        ready = await self.hear("ready")
        self.token = ready["token"]
        for room in rooms:
            await self.say(type="join", id=2, room=room)
            await self.hear("ok")
        return ready


@asynccontextmanager
async def phone(serving: Serving, small: bool = False) -> AsyncIterator[Phone]:
    """`small`: with a kernel buffer that soon holds the server up."""
    address = Address("127.0.0.1", serving.addresses[0].port, "/ws", False)

    async def dial(_: Address) -> trio.abc.Stream:
        sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await sock.connect(("127.0.0.1", address.port))
        return trio.SocketStream(sock)

    wire = await open_socket(address, "bandstand.v1", dial)
    try:
        yield Phone(wire)
    finally:
        with trio.move_on_after(2, shield=True):
            await wire.aclose()


async def raise_it(serving: Serving, **changes: Any) -> Alert:
    made = draft(**changes)
    with trio.fail_after(30):
        alert = await serving.house.alerts.ask(lambda asks: Raise(asks, made, "ana"), urgent=True)
    assert isinstance(alert, Alert), alert
    return alert


async def test_an_alert_overtakes_the_chat_that_waits_for_a_slow_reader(tmp_path: Path) -> None:
    app = App(settings_of(tmp_path, **ROOMY))
    async with app.serve() as serving, phone(serving, small=True) as slow, phone(serving) as talker:
        await slow.enter("main-stage")
        await talker.enter("main-stage")
        posts = 150
        for number in range(posts):
            await talker.say(type="send", id=10 + number, room="main-stage", cid=f"c{number}", text="x" * 1_900)
        for _ in range(posts):
            await talker.hear("ok")
        alert = await raise_it(serving)
        before: list[str] = []
        with trio.fail_after(20):
            while True:
                frame = msgspec.json.decode(await slow.wire.receive())
                if frame["type"] == "alert":
                    break
                before.append(frame["type"])
            behind = 0
            while behind + before.count("message") < posts:
                behind += msgspec.json.decode(await slow.wire.receive())["type"] == "message"
        assert frame["id"] == alert.id
        assert behind > posts / 3  # what the kernels had taken cannot be overtaken; the rest was


async def test_who_comes_back_after_a_restart_gets_it_from_the_next_process(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with App(settings).serve() as serving, phone(serving) as ana:
        await ana.enter("main-stage")
        alert = await raise_it(serving)
        await ana.hear("alert")
        await ana.say(type="alert_receipt", id=5, alert=alert.id, rev=1, state="help", note="my leg")
        assert (await ana.hear("ok"))["re"] == 5
    async with App(settings).serve() as serving, phone(serving) as again:
        ready = await again.enter(token=ana.token)
        assert [each["id"] for each in ready["alerts"]] == [alert.id]
        (report,) = await serving.house.alerts.ask(Summary)
        assert (report.total.targeted, report.total.seen, report.total.help) == (1, 1, 1)


async def test_receipts_that_fit_nothing_are_refused_and_cost_nothing(tmp_path: Path) -> None:
    async with App(settings_of(tmp_path)).serve() as serving, phone(serving) as ana, phone(serving) as bo:
        await ana.enter("main-stage")
        await bo.enter("lost-and-found")
        alert = await raise_it(serving)
        for number in range(60):  # outside the limits of messages
            await bo.say(type="alert_receipt", id=number, alert=alert.id, rev=1, state="acknowledged")
            assert (await bo.hear("error"))["code"] == "forbidden"
        await bo.say(type="alert_receipt", id=99, alert="A099-XYZ", rev=1, state="seen")
        assert (await bo.hear("error"))["code"] == "bad_anchor"
        await bo.say(type="alert_receipt", id=99, alert=alert.id, rev=1, state="asleep")
        assert (await bo.hear("error"))["code"] == "bad_frame"


@pytest.fixture
def broken_journal(tmp_path: Path) -> Path:
    (tmp_path / "journal.db").write_bytes(b"this was a database once")
    return tmp_path


async def test_without_a_chat_alerts_go_out_and_joins_are_refused(broken_journal: Path) -> None:
    app = App(settings_of(broken_journal), alerts_only=True)
    with trio.fail_after(60):
        async with app.serve() as serving, phone(serving) as ana:
            assert (await ana.enter())["alerts"] == []
            await ana.say(type="join", id=2, room="main-stage")
            refused = await ana.hear("error")
            assert (refused["code"], refused["retry"]) == ("unavailable", True)
            alert = await raise_it(serving, rooms=None, all=True)
            while not (await serving.house.alerts.ask(Summary))[0].alert.recorded:  # noqa: ASYNC110 - a disk may be slow
                await trio.sleep(0.02)
            assert (await ana.hear("alert"))["all"] is True
            await ana.say(type="alert_receipt", id=3, alert=alert.id, rev=1, state="acknowledged")
            assert (await ana.hear("ok"))["re"] == 3
    assert (broken_journal / "journal.db").read_bytes() == b"this was a database once"


async def test_without_a_chat_a_room_is_still_known_by_who_was_in_it(tmp_path: Path) -> None:
    async with App(settings_of(tmp_path)).serve() as serving, phone(serving) as ana:
        await ana.enter("main-stage")
    async with App(settings_of(tmp_path), alerts_only=True).serve() as serving, phone(serving) as again:
        await again.enter(token=ana.token)
        alert = await raise_it(serving)
        assert (await again.hear("alert"))["id"] == alert.id


async def test_without_a_chat_a_zone_is_still_known(tmp_path: Path) -> None:
    """The alerts that are prepared beforehand are for zones, and were refused when the chat's log was down."""
    async with App(settings_of(tmp_path)).serve() as serving, phone(serving) as ana:
        await ana.enter("main-stage")
        serving.house.alert_board.zones[RoomName("main-stage")] = "hill"
    async with App(settings_of(tmp_path), alerts_only=True).serve() as serving, phone(serving) as again:
        await again.enter(token=ana.token)
        alert = await raise_it(serving, rooms=None, zones=["hill"])
        assert (await again.hear("alert"))["id"] == alert.id
