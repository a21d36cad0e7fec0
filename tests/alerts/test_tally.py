"""The alerts' figures, as they are counted (docs/operations.md, metrics)."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from actors.alerts.messages import Update
from actors.alerts.vocabulary import Alert, ReceiptState
from tests.alerts.making import MAIN
from tests.alerts.station import station


async def test_alerts_receipts_and_deliveries_are_counted(autojump_clock: MockClock) -> None:
    async with station() as here:
        here.arrive(1, MAIN)
        slow, away = here.arrive(2, MAIN), here.arrive(3, MAIN)
        here.leave(away)
        await wait_all_tasks_blocked()  # an order overtakes who comes and goes in its moment
        slow.outlet.stuck = True
        alert = await here.start(status="exercise", severity="minor", remind_s=0)
        tally = here.board.book.tally
        assert tally.sent == {("alert", "minor", "exercise"): 1}
        assert tally.delivery.count == 1
        assert tally.delivery.sum < 0.1

        await trio.sleep(7)
        slow.outlet.loosen()
        assert tally.delivery.count == 2
        assert 7 <= tally.delivery.sum < 7.1, "a slow line counts with what it took"
        here.arrive(3)
        here.arrive(4, MAIN)
        await wait_all_tasks_blocked()
        assert tally.delivery.count == 2, "who comes later says nothing of how fast it was"

        for state in (ReceiptState.RECEIVED, ReceiptState.RECEIVED, ReceiptState.HELP):
            here.receipt(1, alert, state)
        here.receipt(77, alert, ReceiptState.SEEN)
        await wait_all_tasks_blocked()
        assert tally.receipts == {"received": 2, "seen": 0, "acknowledged": 0, "help": 1}, "only those that are taken"

        newer = await here.alerts.ask(lambda asks: Update(asks, alert.id, {"headline": "Stay"}, "ana"))
        assert isinstance(newer, Alert)
        assert tally.sent == {("alert", "minor", "exercise"): 1, ("update", "minor", "exercise"): 1}
