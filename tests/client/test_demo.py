"""The people of `serve --demo`, on virtual time."""

import json
import random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from actors.names import RoomName
from bandstand import demo
from bandstand.client import Message, connect
from bandstand.demo_lines import ANSWERS, CHATTER, PEOPLE
from gateway.protocol.client import Auth, Join
from gateway.protocol.orders import RemovedFrame
from tests.client.fake_server import Close, FakeHouse, no

ROOMS = ("blue-stage", "main-stage", "lost-and-found")


async def with_bots(house: FakeHouse, monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    async with trio.open_nursery() as nursery:
        real, dial = connect, house.dialler(nursery)
        monkeypatch.setattr(demo, "connect", lambda url, **more: real(url, dial=dial, **more))
        nursery.start_soon(lambda: demo.run_bots("fake", ROOMS, dice=random.Random(5)))
        await act(nursery, dial)
        nursery.cancel_scope.cancel()


async def test_they_talk_at_a_human_pace_in_all_rooms(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(600)

    await with_bots(house, monkeypatch, act)
    said = {room: [entry.text for entry in house.room(room).entries] for room in ROOMS}
    assert all(len(lines) >= 5 for lines in said.values()), said
    assert 30 <= sum(map(len, said.values())) <= 120
    assert any("in Typing" in line for line in house.log)


async def test_they_heed_an_alert_but_one_of_them_never_touches_the_button(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def overhear(text: str) -> list[Any] | None:
        frame = json.loads(text)
        if frame["type"] != "alert_receipt":
            return None
        told.append(frame["state"])
        return [{"type": "ok", "re": frame["id"]}]

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(60)

    alert = {
        "type": "alert", "id": "A017", "rev": 1, "kind": "alert", "status": "exercise", "severity": "extreme",
        "urgency": "immediate", "certainty": "observed", "response": "evacuate", "all": True, "sent": 1.0,
        "info": {"en": {"headline": "Go north now", "text": ""}}, "expires": 4e9, "ack": "required", "remind_s": 60,
        "receipt_spread_ms": 0,
    }  # fmt: skip
    await with_bots(FakeHouse(alerts=(alert,), overhear=overhear), monkeypatch, act)
    counts = {state: told.count(state) for state in ("received", "seen", "acknowledged")}
    assert counts == {"received": len(PEOPLE), "seen": len(PEOPLE), "acknowledged": len(PEOPLE) - 1}


async def test_they_answer_when_spoken_to_and_not_each_other(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(5)
        async with connect("fake", nickname="Ana", dial=dial) as client:
            room = await client.join("blue-stage", tail=0)
            for question, who in (("where is the lost bag?", "Lou"), ("Priya, do you like it?", "Priya")):
                asked = await room.send(question)
                with trio.fail_after(30):
                    async for event in room:
                        if isinstance(event, Message) and event.reply_to == asked.seq:
                            assert event.nickname == who
                            break
            nothing = await room.send("what a night")
            await trio.sleep(60)
            entries = house.room("blue-stage").entries
            assert [entry for entry in entries if entry.reply_to == nothing.seq] == []

    await with_bots(house, monkeypatch, act)
    replies = [entry for entry in house.room("blue-stage").entries if entry.reply_to]
    assert len(replies) == 2


async def test_a_crowd_of_questions_does_not_make_a_crowd_of_answers(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(5)
        for n in range(200):
            house.room("main-stage").say("Bo", f"when does it start? {n}")
        await trio.sleep(30)
        answers = [entry for entry in house.room("main-stage").entries if entry.reply_to]
        assert 1 <= len(answers) <= demo.ANSWERS_WAITING

    await with_bots(house, monkeypatch, act)


async def test_whatever_the_server_does_they_come_back(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse(down=True)

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(60)
        house.down = False
        await trio.sleep(60)
        house.cut_all()
        house.say_all(Close(4403))
        await trio.sleep(1)
        house.say_all(Close(4401))
        house.members.clear()
        await trio.sleep(120)
        house.refuse = lambda frame: no(frame, "frozen")
        house.cut_all()
        await trio.sleep(120)
        house.refuse = lambda frame: None
        await trio.sleep(120)
        before = house.room("blue-stage").head
        assert len(house.room("blue-stage").visits) == len(PEOPLE)
        await trio.sleep(300)
        assert house.room("blue-stage").head > before

    await with_bots(house, monkeypatch, act)


async def test_they_go_where_they_are_sent_and_come_back_when_they_may(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An evacuation emptied the demo's rooms for good: who had been sent away was never seen there again."""
    house = FakeHouse()
    stage, other = house.room("blue-stage"), house.room("quiet-room")

    def closed(frame: Any) -> Any:
        return no(frame, "forbidden") if isinstance(frame, Join) and frame.room == "blue-stage" else None

    def send_away(room: Any, to: str | None) -> None:
        house.say_all(RemovedFrame(RoomName(room.name), "storm", None, None if to is None else RoomName(to)))
        room.visits.clear()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(5)
        house.refuse = closed
        send_away(stage, "quiet-room")
        await trio.sleep(120)
        assert (len(stage.visits), len(other.visits)) == (0, len(PEOPLE))
        house.refuse = lambda frame: None
        send_away(other, "blue-stage")
        await trio.sleep(5)
        assert (len(stage.visits), len(other.visits)) == (len(PEOPLE), 0)
        before = stage.head
        await trio.sleep(300)
        assert stage.head > before
        send_away(stage, None)
        await trio.sleep(60)
        assert len(stage.visits) == len(PEOPLE)

    await with_bots(house, monkeypatch, act)


def test_everything_they_say_fits_and_belongs_to_somebody() -> None:
    lines = [each for scripts in CHATTER.values() for script in scripts for each in script]
    assert {name for name, _ in lines} <= set(PEOPLE)
    assert all(0 < len(text) <= 200 for _, text in lines)
    assert {knows for _, knows, _ in ANSWERS} <= set(PEOPLE)
    assert demo.answer("nice weather today", "blue-stage", random.Random(1)) is None


@pytest.mark.parametrize("retry_after_ms", [None, 90_000])
async def test_who_is_banned_does_not_come_back_under_another_identity(
    retry_after_ms: int | None, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They took every refusal for a token that had run out, and came in as somebody new."""
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(60)
        house.refuse = lambda frame: no(frame, "banned", retry_after_ms) if isinstance(frame, Auth) else None
        house.cut_all()
        await trio.sleep(80)
        house.refuse = lambda frame: None
        await trio.sleep(120)
        assert len(house.visits) == len(PEOPLE)

    await with_bots(house, monkeypatch, act)
    assert len(house.members) == len(PEOPLE)


async def test_a_token_that_is_not_good_any_more_makes_somebody_new(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = FakeHouse()

    async def act(nursery: trio.Nursery, dial: Any) -> None:
        await trio.sleep(60)
        house.members.clear()
        house.cut_all()
        await trio.sleep(120)
        assert len(house.visits) == len(house.members) == len(PEOPLE)

    await with_bots(house, monkeypatch, act)
