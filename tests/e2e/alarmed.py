"""A house under alert: an operator who counts, members who come, go and answer, and the ledger held to its equation
(protocol, section 6) at every look."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import trio

from tests.e2e.operator import PASSWORD, Json, OperatorClient, operating
from tests.e2e.server import Server
from tests.e2e.talker import Talker, talking
from tests.e2e.test_admin import STEPS, code_of

ROOM = "main-stage"
DRAFT = {
    "status": "exercise", "severity": "extreme", "urgency": "immediate", "certainty": "observed",
    "response": "evacuate", "headline": "Leave by the north gate", "expires_s": 600, "rooms": [ROOM],
    "ack": "required", "remind_s": 0,
}  # fmt: skip
SETTLED_S = 60.0


class House:
    """`tokens`, `talker`: by name; the newest connection of each. The operator's connection ends with the server's
    life; `sign_in` makes another."""

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self.server = server
        self.tokens: dict[str, str] = {}
        self.talker: dict[str, Talker] = {}
        self._stack = stack
        self._operator: OperatorClient | None = None

    # -- the operator --------------------------------------------------------------------------------------------------

    async def sign_in(self) -> Json:
        """The first one by the set-up link."""
        opened = operating(self.server.port)
        self._operator = await trio.to_thread.run_sync(opened.__enter__)
        self._stack.callback(opened.__exit__, None, None, None)
        first = self._operator.hello["setup"]
        ready = await self.ask("sign_in", **({"setup": code_of(self.server)} if first else {"password": PASSWORD}))
        assert ready["type"] == "ready", ready
        return ready

    async def ask(self, what: str, *args: Any, **more: Any) -> Json:
        client = self._operator
        assert client is not None
        found: Json = await trio.to_thread.run_sync(lambda: getattr(client, what)(*args, **more))
        return found

    async def alert(self, **changes: Any) -> str:
        draft = {name: value for name, value in {**DRAFT, **changes}.items() if value is not None}
        done = await self.ask("good", "alert.raise", draft, confirm="DRILL")
        return str(done["detail"]["alert"])

    async def tally(self, alert: str) -> dict[str, int]:
        """The equation holds whenever somebody looks."""
        shown = await self.ask("read", "alert.show", {"alert": alert})
        for counts in (shown["ledger"], *shown["rooms"].values()):
            assert counts["targeted"] == sum(counts[step] for step in STEPS), counts
        return {name: count for name, count in shown["ledger"].items() if count}

    async def comes_to(self, alert: str, **wanted: int) -> None:
        """Soon, exactly these; what is not named is 0."""
        with trio.move_on_after(SETTLED_S):
            while await self.tally(alert) != wanted:  # noqa: ASYNC110 - it is another process
                await trio.sleep(0.1)  # an operator may ask 20 times a second
        found = await self.tally(alert)
        assert found == wanted, (found, wanted)

    # -- members -------------------------------------------------------------------------------------------------------

    async def comes(self, name: str, *rooms: str) -> Talker:
        """For the first time, or back."""
        how = {"token": self.tokens[name]} if name in self.tokens else {"nickname": name}
        talker = await self._stack.enter_async_context(talking(self.server.port, **how))
        self.talker[name], self.tokens[name] = talker, talker.ready["token"]
        for room in rooms:
            talker.ready["alerts"] += (await talker.good("join", room=room, since=None))["alerts"]
        return talker

    async def connected(self, count: int) -> None:
        """So many connections, the operator's included: the server has seen who lost theirs."""
        with trio.fail_after(SETTLED_S):
            while await self.server.figure("connections") != count:  # noqa: ASYNC110 - it is another process
                await trio.sleep(0.01)


@asynccontextmanager
async def house(server: Server) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        yield House(server, stack)


def listed(talker: Talker) -> set[str]:
    """Alerts that `ready` and the joins have told of."""
    return {each["id"] for each in talker.ready["alerts"]}


async def answers(talker: Talker, alert: str, state: str, note: str = "", rev: int = 1) -> Json:
    more = {"note": note} if note else {}
    return await talker.ask("alert_receipt", alert=alert, rev=rev, state=state, **more)
