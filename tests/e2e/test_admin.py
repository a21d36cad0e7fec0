"""The operators' channel of a real server, by another library's client."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import trio
from websockets.exceptions import ConnectionClosed, InvalidStatus

from bandstand.admin_client import sign_in
from tests.e2e.operator import PASSWORD, OperatorClient, operating
from tests.e2e.server import Server, hosted, serving
from tests.e2e.talker import talking

MAIN = {"room": "main-stage"}
LINK = re.compile(r"/ops/setup#([a-z0-9-]+)")
PROTOCOL = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
TOPIC = re.compile(r"^\| `(stats|rooms|room:<name>|alerts)` \| ([^:|]+)", re.MULTILINE)
"""A topic and its fields, as the page names them; the activity's come with its news alone."""


def code_of(server: Server) -> str:
    return next(found[1] for line in server.said if (found := LINK.search(line)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With its first operator, made by the set-up link, and one of each lower role."""
    with hosted(tmp_path_factory.mktemp("admin")) as server:
        with operating(server.port) as ana:
            assert ana.hello["setup"] is True
            wrong = ana.sign_in(setup="not-the-code")
            assert (wrong["type"], wrong["code"]) == ("error", "setup")
            ready = ana.sign_in(setup=code_of(server))
            assert (ready["type"], ready["role"]) == ("ready", "owner")
            for name, role in (("bo", "owner"), ("vera", "viewer"), ("mo", "moderator")):
                ana.good("operator.add", {"name": name, "role": role, "password": PASSWORD})
        yield server


@pytest.fixture
def ana(server: Server) -> Iterator[OperatorClient]:
    with operating(server.port) as client:
        assert client.sign_in()["type"] == "ready"
        yield client


def test_the_set_up_code_works_once(server: Server) -> None:
    with operating(server.port) as late:
        assert late.hello["setup"] is False
        assert late.sign_in("eve", setup=code_of(server))["code"] == "setup"


def test_ready_lists_what_this_operator_may_give(server: Server) -> None:
    with operating(server.port) as vera:
        ready = vera.sign_in("vera")
        assert {card["role"] for card in ready["commands"]} == {"viewer"}
        assert vera.give("room.freeze", MAIN)["code"] == "forbidden"
        freeze = next(card for card in ready["commands"] if card["name"] == "room.show")
        assert freeze["args"] == {"room": "room"}


def test_a_session_s_token_brings_an_operator_back(server: Server) -> None:
    with operating(server.port) as first:
        token = first.sign_in()["token"]
    with operating(server.port) as second:
        ready = second.ask("auth", token=token)
        assert (ready["type"], ready["operator"]) == ("ready", "ana")
        second.good("session.end", {"session": ready["session"]})
        second.socket.send(json.dumps({"type": "command", "id": 99, "name": "room.list"}))
        assert last_words(second) == 4401


def test_who_signs_out_is_out_everywhere_and_on_record(server: Server, ana: OperatorClient) -> None:
    """Also a connection that only watches: it used to be told figures for as long as it said nothing."""
    with operating(server.port) as vera, operating(server.port) as watching:
        ready = vera.sign_in("vera")
        assert watching.ask("auth", token=ready["token"])["type"] == "ready"
        assert watching.ask("watch", topic="stats")["type"] == "ok"
        vera.good("session.leave")
        assert (last_words(watching), last_words(vera)) == (4401, 4401)
    with operating(server.port) as late:
        assert late.ask("auth", token=ready["token"])["code"] == "unauthorized"
    rows = ana.read("audit.page", {"operator": "vera", "limit": 2})["items"]
    assert [(row["command"], row["result"]) for row in rows] == [("session.leave", "ok"), ("session.begin", "ok")]
    assert rows[1]["args"] == {"by": "password", "session": ready["session"]}


def test_freeze_is_seen_recorded_and_undone(ana: OperatorClient) -> None:
    done = ana.good("room.freeze", MAIN)
    assert (done["undo"], done["dry_run"]) == ("exact", False)
    assert ana.read("room.show", MAIN)["frozen"] is True
    ana.good("act.undo", {"act": done["act"]})
    assert ana.read("room.show", MAIN)["frozen"] is False
    rows = ana.read("audit.page", {"limit": 2})["items"]
    assert [row["command"] for row in rows] == ["act.undo", "room.freeze"]
    assert ana.read("audit.verify")["whole"] is True


def test_a_frozen_room_refuses_its_members(server: Server, ana: OperatorClient) -> None:
    async def chat() -> None:
        with trio.fail_after(60):
            async with talking(server.port, "Guest") as guest:
                await guest.good("join", room="main-stage", since=None)
                done = await trio.to_thread.run_sync(lambda: ana.good("room.freeze", MAIN))
                refused = await guest.ask("send", room="main-stage", text="hi", cid=str(uuid4()))
                assert refused["code"] == "frozen"
                await trio.to_thread.run_sync(lambda: ana.good("act.undo", {"act": done["act"]}))
                await guest.good("send", room="main-stage", text="hi", cid=str(uuid4()))

    trio.run(chat)


def test_watches_push_each_second(ana: OperatorClient) -> None:
    for topic in ("stats", "rooms", "room:main-stage", "alerts", "activity"):
        assert ana.ask("watch", topic=topic)["type"] == "ok"
    for topic, fields in TOPIC.findall(PROTOCOL):
        shown = ana.until("snapshot", topic.replace("<name>", "main-stage"))
        assert {"type", "topic", "age_ms", *re.findall(r"`(\w+)`", fields)} == set(shown)
    assert ana.until("snapshot", "stats")["people"].keys() == {"online", "peak", "unique"}
    assert ana.until("snapshot", "stats")["age_ms"] < 5_000
    assert {row["room"] for row in ana.until("snapshot", "rooms")["rooms"]} == {"main-stage", "lost-and-found"}
    assert ana.until("snapshot", "room:main-stage")["row"]["room"] == "main-stage"
    assert ana.until("snapshot", "alerts")["alerts"] == []
    before = ana.until("snapshot", "activity")["events"]
    assert [event["n"] for event in before] == sorted(event["n"] for event in before)
    done = ana.good("room.slow", MAIN | {"seconds": 3})
    news = ana.until("snapshot", "activity")["events"]
    while not any(event.get("act") == done["act"] for event in news):
        news = ana.until("snapshot", "activity")["events"]
    assert news[0]["n"] > before[-1]["n"], "nothing is told twice"
    ana.good("act.undo", {"act": done["act"]})
    assert ana.ask("watch", topic="nonsense")["code"] == "not_found"
    assert ana.ask("unwatch", topic="stats")["type"] == "ok"


def watched(server: Server) -> float:
    return trio.run(server.figure, "admin_watches")


def test_watches_opened_and_closed_many_times_leave_nothing_behind(server: Server) -> None:
    """By a desk that lets go of them, by unwatch, and by connections that end: more than a connection may have."""
    topics = [f"room:no-such-room-{number}" for number in range(24)]

    async def open_and_let_go() -> None:
        with trio.fail_after(60):
            async with sign_in(f"http://127.0.0.1:{server.port}", operator="ana", password=PASSWORD) as desk:
                for topic in topics:
                    async for snapshot in desk.watch(topic):
                        assert snapshot["unknown"] is True
                        break
                await desk.read("house.show")
                assert await server.figure("admin_watches") == 0

    trio.run(open_and_let_go)
    for _ in range(3):
        with operating(server.port) as ana:
            ana.sign_in()
            for topic in topics[:16]:
                assert ana.ask("watch", topic=topic)["type"] == "ok"
            assert ana.ask("watch", topic=topics[16])["code"] == "full"
            assert watched(server) == 16
            for topic in topics[:8]:
                assert ana.ask("unwatch", topic=topic)["type"] == "ok"
            assert watched(server) == 8
    give_up = time.monotonic() + 30
    while watched(server):
        assert time.monotonic() < give_up


def test_a_drill_reaches_people_and_is_counted(server: Server, ana: OperatorClient) -> None:
    draft = {
        "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed",
        "response": "shelter", "headline": "Drill: take shelter", "expires_s": 600, "all": True, "ack": "required",
    }  # fmt: skip
    assert ana.give("alert.raise", draft)["code"] == "confirm"
    would = ana.good("alert.raise", draft, dry_run=True)
    assert would["detail"]["confirm"] == "DRILL"

    async def hear() -> None:
        with trio.fail_after(60):
            async with talking(server.port, "Guest") as guest:
                await guest.good("join", room="main-stage", since=None)
                done = await trio.to_thread.run_sync(lambda: ana.good("alert.raise", draft, confirm="DRILL"))
                alert = done["detail"]["alert"]
                await guest.until(lambda: any(frame["type"] == "alert" for frame in guest.heard))
                shown = await trio.to_thread.run_sync(lambda: ana.read("alert.show", {"alert": alert}))
                ledger = shown["ledger"]
                assert ledger["targeted"] == sum(ledger[step] for step in STEPS) >= 1
                cleared = await trio.to_thread.run_sync(lambda: ana.good("alert.all_clear", {"alert": alert}))
                assert cleared["detail"]["rev"] == 2

    trio.run(hear)


STEPS = ("unreachable", "queued", "written", "received", "seen", "acknowledged")


def test_a_second_person_confirms_once(server: Server, ana: OperatorClient) -> None:
    order = {"confirm": "STAFF ONLY", "reason": "trouble at the gate"}
    pending = ana.give("house.lockdown", {"level": 1}, **order)["pending"]
    assert ana.give("house.lockdown", {"level": 1}, confirm_of=pending, **order)["code"] == "second_person"
    with operating(server.port) as bo:
        bo.sign_in("bo")
        assert bo.give("house.lockdown", {"level": 2}, confirm_of=pending)["type"] == "ok", "needs no second person"
        done = bo.good("house.lockdown", {"level": 1}, confirm_of=pending, **order)
        again = bo.give("house.lockdown", {"level": 1}, confirm_of=pending, **order)
        assert again["code"] == "second_person"
        assert ana.read("house.show")["lockdown"] == 1
        bo.good("act.undo", {"act": done["act"]})
    ana.good("house.lockdown", {"level": 5})


def test_wrong_passwords_wait_longer_and_longer(server: Server) -> None:
    """However slowly the machine checks them: at the latest the sixth is not looked at."""
    with operating(server.port) as stranger:
        said = [stranger.sign_in("mo", "a wrong password") for _ in range(4)]
    with operating(server.port) as stranger:
        said += [stranger.sign_in("mo", "a wrong password") for _ in range(2)]
        refused = [each for each in said if each["code"] == "rate"]
        assert [each["code"] for each in said if each not in refused] == ["unauthorized"] * (6 - len(refused))
        assert refused
        assert all(0 < each["retry_after_ms"] <= 900_000 for each in refused)
        assert stranger.sign_in("vera")["type"] == "ready", "nobody else is locked out"


def test_nothing_is_told_to_who_is_not_signed_in(server: Server) -> None:
    with operating(server.port) as stranger:
        for type, fields in (("command", {"name": "room.list"}), ("watch", {"topic": "stats"})):
            assert stranger.ask(type, **fields)["code"] == "unauthorized"


BAD = {
    "no JSON": "{",
    "not an object": "[]",
    "no type": "{}",
    "an id that is none": '{"type":"command","id":"1","name":"room.list"}',
    "arguments that are none": '{"type":"command","id":1,"name":"room.list","args":[]}',
    "depth": '{"type":"command","id":1,"name":"room.list","args":' + '{"a":' * 2_000 + "1" + "}" * 2_001,
    "half a character": '{"type":"command","id":1,"name":"\\ud800"}',
    "no number": '{"type":"command","id":1,"name":"room.list","ttl_s":NaN}',
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_bad_frames_are_said_to_be_bad(ana: OperatorClient, text: str) -> None:
    ana.socket.send(text)
    assert ana.hear()["code"] in ("bad_frame", "too_big")
    assert ana.read("room.list")["items"]


def test_what_is_too_long_ends_the_connection(ana: OperatorClient) -> None:
    ana.socket.send(json.dumps({"type": "command", "id": 1, "name": "x" * 20_000}))
    assert last_words(ana) == 1009


def last_words(client: OperatorClient) -> int | None:
    """The code with which the server closes."""
    try:
        while True:
            client.hear()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def test_pages_of_other_origins_stay_outside(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused, operating(server.port, origin="https://evil.example"):
        pass
    assert refused.value.response.status_code == 403
    with operating(server.port, origin=f"http://127.0.0.1:{server.port}") as own:
        assert own.hello["type"] == "hello"


async def test_orders_survive_a_kill(tmp_path: Path) -> None:
    """A frozen room stays frozen, its undo stays possible, a retried order is answered and not done again."""
    with trio.fail_after(90):
        async with serving(tmp_path) as server:

            def before() -> tuple[str, str]:
                with operating(server.port) as ana:
                    ana.sign_in(setup=code_of(server))
                    frozen = ana.good("room.freeze", MAIN)
                    timed = ana.good("room.slow", MAIN | {"seconds": 7}, ttl_s=2.0)
                    said = ana.good("house.announce", {"text": "doors at 8", "rooms": ["main-stage"]}, cid="same")
                    ana.good("house.lockdown", {"level": 3})
                    assert timed["undo"] == "exact"
                    return frozen["act"], said["act"]

            frozen, said = await trio.to_thread.run_sync(before)
            await server.kill()
            await trio.sleep(2.5)
            await server.start()

            def after() -> None:
                with operating(server.port) as ana:
                    assert ana.hello["setup"] is False
                    ana.sign_in()
                    again = ana.good("house.announce", {"text": "doors at 8", "rooms": ["main-stage"]}, cid="same")
                    assert again["act"] == said
                    lines = ana.read("room.export", MAIN)["lines"]
                    assert sum("doors at 8" in line for line in lines) == 1
                    assert ana.read("house.show")["lockdown"] == 3
                    shown = ana.read("room.show", MAIN)
                    assert (shown["frozen"], shown["slow_s"]) == (True, 0.0), "the slow mode's time was over"
                    ana.good("act.undo", {"act": frozen})
                    assert ana.read("room.show", MAIN)["frozen"] is False
                    assert ana.read("audit.verify")["whole"] is True

            await trio.to_thread.run_sync(after)


async def test_operators_are_told_to_come_back_when_the_server_drains(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with serving(tmp_path) as server:

            def drain() -> int | None:
                with operating(server.port) as ana:
                    ana.sign_in(setup=code_of(server))
                    assert ana.give("house.drain")["type"] == "ok"
                    return last_words(ana)

            assert await trio.to_thread.run_sync(drain) == 4200
            assert await server.ended() == 0


async def test_who_says_nothing_is_put_out_and_who_is_still_is_asked(tmp_path: Path) -> None:
    waits = {"limits__authenticate_s": 4, "limits__request_head_s": 4, "heartbeat__every_s": 1, "heartbeat__dead_s": 3}
    with trio.fail_after(60):
        async with serving(tmp_path, **waits) as server, trio.open_nursery() as nursery:

            def say_nothing() -> None:
                with operating(server.port) as stranger:
                    assert last_words(stranger) == 4104

            def be_still() -> None:
                with operating(server.port) as ana:
                    ana.sign_in(setup=code_of(server))
                    assert ana.hear()["type"] == "heartbeat"
                    for _ in range(4):
                        assert ana.ask("heartbeat", t=1.0)["type"] == "ok"
                        time.sleep(1)

            nursery.start_soon(trio.to_thread.run_sync, say_nothing)
            nursery.start_soon(trio.to_thread.run_sync, be_still)
