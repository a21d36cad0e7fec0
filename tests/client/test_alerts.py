"""Alerts for a program that uses the client: ahead of chat, once a revision, over reconnects, and receipts."""

from pathlib import Path

import pytest
import trio

from actors.alerts.messages import AllClear, Raise, Summary
from actors.alerts.vocabulary import Alert as Raised
from bandstand.client import Alert, AlertOver, Client, Refused, connect
from bandstand.client.alerts import Alerts, alert_of
from bandstand.client.events import AlertEvent
from gateway.alerts import frame_of
from gateway.app import App, Serving
from gateway.protocol import server
from tests.alerts.making import draft
from tests.alerts.test_cap import alert as made
from tests.cli.running import settings_of


async def raise_it(serving: Serving) -> Raised:
    words = draft()
    alert = await serving.house.alerts.ask(lambda asks: Raise(asks, words, "ana"), urgent=True)
    assert isinstance(alert, Raised)
    return alert


async def heard(client: Client) -> AlertEvent:
    with trio.fail_after(60):
        async for event in client.events():
            if isinstance(event, Alert | AlertOver):
                return event
    raise AssertionError


async def test_a_program_hears_of_it_answers_and_hears_its_end(tmp_path: Path) -> None:
    async with App(settings_of(tmp_path)).serve() as serving:
        url = f"http://127.0.0.1:{serving.addresses[0].port}/"
        async with connect(url, nickname="Ana") as client:
            await client.join("main-stage")
            raised = await raise_it(serving)
            alert = await heard(client)
            assert isinstance(alert, Alert)
            assert (alert.id, alert.headline, alert.text) == (raised.id, "Leave by the north gate", "Walk, do not run.")
            assert list(client.alerts) == [raised.id]
            with trio.fail_after(60):
                await client.receipt(alert, "acknowledged")
                await client.receipt(alert, "help", "my leg")
            (report,) = await serving.house.alerts.ask(Summary)
            assert (report.total.acknowledged, report.total.help) == (1, 1)
            async with connect(url, nickname="Bo") as stranger:
                with pytest.raises(Refused, match="not for you"):
                    await stranger.receipt(alert, "seen")
            async with connect(url, token=client.token) as twin:  # by `ready`
                assert (await heard(twin)) == alert
            await serving.house.alerts.ask(lambda asks: AllClear(asks, raised.id, "ana", "Come back."))
            last = await heard(client)
            assert isinstance(last, Alert)
            assert (last.kind, last.text) == ("all_clear", "Come back.")
            assert await heard(client) == AlertOver(raised.id, 2, "cleared")
            assert not client.alerts


def test_a_revision_is_told_once_a_reminder_as_such_and_nothing_after_the_end() -> None:
    told: list[AlertEvent] = []
    alerts = Alerts(told.append)
    first, second = frame_of(made(draft())), frame_of(made(draft(), 2))
    alerts.listed([first])
    alerts.listed([first])
    alerts.come(first)
    alerts.come(second)
    alerts.come(first)
    alerts.over(server.AlertOver(second.id, second.rev, "expired"))
    alerts.listed([first, second])
    assert told == [alert_of(first), alert_of(first, True), alert_of(second), AlertOver(second.id, 2, "expired")]
    assert not alerts.held
