"""Over a real socket, by another library's client: who may give what, what is done once, what counts as a second
person, and that nobody but an operator raises an alert."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trio
from argon2 import PasswordHasher
from attrs import frozen
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from actors.admin import approval, operators
from actors.admin.commands import TABLE
from actors.admin.operators import hash_password
from actors.admin.roles import Role
from actors.admin.store import AdminStore
from gateway.plan import admin_path
from tests.admin.test_roles import sample
from tests.cli.running import in_a_thread, settings_of
from tests.e2e.operator import PASSWORD, Json, OperatorClient, operating

pytestmark = pytest.mark.xdist_group("admin_channel")
MAIN = {"room": "main-stage"}
STAFF_ONLY: dict[str, Any] = {"args": {"level": 1}, "confirm": "STAFF ONLY", "reason": "trouble at the gate"}


@frozen
class Server:
    port: int
    tokens: dict[Role, str]

    @contextmanager
    def signed_in(self, *names: str) -> Iterator[list[OperatorClient]]:
        with ExitStack() as stack:
            clients = [stack.enter_context(operating(self.port)) for _ in names]
            for client, name in zip(clients, names, strict=True):
                assert client.sign_in(name)["type"] == "ready"
            yield clients


async def people(path: Path) -> dict[Role, str]:
    """Two owners, and a program of each role: its token."""
    async with await AdminStore.open(path) as store:
        for name in ("ana", "bo"):
            await store.operators.add(name, Role.OWNER, hash_password(name, PASSWORD))
        return {role: (await store.tokens.create(role.word, role, "ana")).secret for role in Role}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operators, "HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        settings = settings_of(tmp_path_factory.mktemp("channel"))
        path = admin_path(settings)
        assert path is not None
        tokens = trio.run(people, path)
        with in_a_thread(settings) as port:
            yield Server(port, tokens)


def patiently(client: OperatorClient, name: str, **fields: Any) -> str:
    """Its code, or ok; `rate` is no answer to whether it may."""
    while (answer := client.ask("command", name=name, cid=str(uuid4()), **fields)).get("code") == "rate":
        trio.run(trio.sleep, answer["retry_after_ms"] / 1000)
    return str(answer.get("code", answer["type"]))


@pytest.mark.parametrize("role", Role, ids=lambda role: role.word)
def test_each_role_may_give_its_own_commands_and_no_other(server: Server, role: Role) -> None:
    with operating(server.port) as program:
        ready = program.ask("auth", token=server.tokens[role])
        assert {card["name"] for card in ready["commands"]} == {
            name for name, spec in TABLE.items() if spec.role <= role
        }
        wrong = [
            f"{name}: {code}"
            for name, spec in TABLE.items()
            for code in [patiently(program, name, args=sample(spec), dry_run=not spec.reads)]
            if (code == "forbidden") != (role < spec.role)
        ]
        assert wrong == []


def test_a_cid_is_one_order_whatever_number_its_frame_has(server: Server) -> None:
    with server.signed_in("ana", "bo") as (ana, bo):
        first = ana.good("room.slow", MAIN | {"seconds": 3}, cid="one")
        bo.good("room.slow", MAIN | {"seconds": 9}, cid="one")  # another's cid is another order
        again = ana.good("room.slow", MAIN | {"seconds": 3}, cid="one")
        assert (again["act"], again["rev"]) == (first["act"], first["rev"])
        assert ana.read("room.show", MAIN)["slow_s"] == 9, "it was not done again"
        assert ana.give("room.slow", MAIN | {"seconds": 4}, cid="one")["code"] == "cid_reused"
        assert ana.give("room.freeze", MAIN, cid="one")["code"] == "cid_reused"
        frame = {"type": "command", "id": 77, "cid": "two", "name": "room.slow", "args": MAIN | {"seconds": 5}}
        for _ in range(2):  # the very same bytes
            ana.socket.send(json.dumps(frame))
        acts = [ana.hear()["act"] for _ in range(2)]
        assert acts[0] == acts[1] != first["act"]
        done = [row["act"] for row in ana.read("act.list", {"limit": 50})["items"]]
        assert len(done) == len(set(done))
        assert done.count(acts[0]) == 1


def test_the_second_person_is_somebody_else_a_person_and_in_time(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confirming(client: OperatorClient, pending: str) -> str:
        return str(client.give("house.lockdown", confirm_of=pending, **STAFF_ONLY).get("code"))

    with server.signed_in("ana", "ana", "bo") as (ana, ana_again, bo), operating(server.port) as program:
        program.ask("auth", token=server.tokens[Role.OWNER])
        pending = ana.give("house.lockdown", **STAFF_ONLY)["pending"]
        codes = [confirming(client, pending) for client in (ana, ana_again, program)]
        assert codes == ["second_person"] * 3, "oneself, on another connection too, and a program"
        with monkeypatch.context() as impatient:
            impatient.setattr(approval, "WAIT_S", 0.0)
            late = bo.give("house.lockdown", **STAFF_ONLY)["pending"]
        assert confirming(ana, late) == "second_person", "it has expired"
        assert confirming(bo, "p_made_up") == "second_person"
        assert ana.read("house.show")["lockdown"] == 5, "none of it was done"


class MemberClient(OperatorClient):
    """The same client on the attendees' channel."""

    def hear(self, seconds: float = 10.0) -> Json:
        frame: Json = json.loads(self.socket.recv(seconds))
        return frame


def member(port: int, stack: ExitStack, nickname: str) -> MemberClient:
    url = f"ws://127.0.0.1:{port}/ws"
    client = MemberClient(stack.enter_context(connect(url, subprotocols=[Subprotocol("bandstand.v1")])))
    assert client.ask("auth", nickname=nickname)["type"] == "ready"
    assert client.ask("join", **MAIN, since=None, tail=0)["type"] == "ok"
    return client


def test_a_member_forges_no_alert_and_gives_no_order(server: Server) -> None:
    """Alerts are the server's own frames: what a member sends as one is no request at all, and reaches nobody."""
    info = {"en": {"headline": "Run", "text": "now"}}
    alert = {"rev": 1, "kind": "alert", "status": "actual", "severity": "extreme", "info": info, "all": True}
    forged: dict[str, Json] = {
        "alert": alert, "alert_over": {"alert": "A001-AAA", "rev": 1}, "notice": MAIN | {"text": "Run"},
        "removed": MAIN | {"reason": "x"}, "command": {"name": "alert.raise", "args": alert, "cid": "c"},
    }  # fmt: skip
    with ExitStack() as stack, server.signed_in("ana") as (ana,):
        forger, bystander = (member(server.port, stack, name) for name in ("Eve", "Ana"))
        for kind, fields in forged.items():
            assert forger.ask(kind, **fields)["code"] == "unknown_type", kind
        text = json.dumps({"type": "alert", **alert})
        assert forger.ask("send", **MAIN, text=text, cid=str(uuid4()))["type"] == "ok"
        heard = [frame := bystander.hear()]
        while frame["type"] != "message":
            heard.append(frame := bystander.hear())
        assert frame["text"] == text, "said, and nothing but said"
        assert not {each["type"] for each in heard} & forged.keys()
        assert ana.read("alert.list")["items"] == []
