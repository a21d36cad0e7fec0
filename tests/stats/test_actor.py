"""The stats actor over a whole house in virtual time: what it publishes, and that its crashes hurt nobody."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.events import Hidden
from actors.kernel import ChildCrashed, State
from actors.names import Cid, MemberId
from actors.room.messages import Census, Moderate
from actors.stats.actor import MINUTES_TOLD, tell_minutes
from actors.stats.feed import Feed
from actors.stats.house import HouseNumbers
from actors.stats.rooms import Line, Minute
from tests.room.hall import MAIN, Answer, Hall, open_hall

STATS = {
    "at", "uptime_s", "people", "rooms", "rates", "lag_p99_ms", "mailbox", "journal", "slow_members", "restarts",
    "memory_bytes", "cpu", "lockdown", "alerts_active", "series",
}  # fmt: skip
ROW = {
    "room", "title", "code", "zone", "online", "messages_per_s", "deliveries_per_s", "p99_ms", "behind", "state",
    "frozen", "slow_s", "closed", "budget",
}  # fmt: skip


@asynccontextmanager
async def counted() -> AsyncIterator[Hall]:
    async with open_hall(stats_every_s=1.0) as hall:
        yield hall


def stats(hall: Hall) -> dict:  # type: ignore[type-arg]
    snapshot = hall.house.board.snapshot("stats")
    assert snapshot is not None
    return dict(snapshot)


def rows(hall: Hall) -> list[dict]:  # type: ignore[type-arg]
    snapshot = hall.house.board.snapshot("rooms")
    assert snapshot is not None
    return snapshot["rooms"]  # type: ignore[return-value]


def events(hall: Hall, kind: str) -> list[str]:
    return [event.text for event in hall.house.feed.replay() if event.kind == kind]


async def test_what_is_published_has_the_fields_that_were_agreed(autojump_clock: MockClock) -> None:
    async with counted() as hall:
        phones = await hall.crowd(5)
        for n in range(20):
            await phones[n % 5].post(str(n)).wait()
        await trio.sleep(3)
        told = stats(hall)
        assert set(told) == STATS
        assert set(told["rates"]) == {"1s", "1m", "15m", "24h"}
        minute = told["rates"]["1m"]
        assert set(minute) == {"messages", "deliveries", "bytes", "joins", "p50_ms", "p99_ms"}
        assert round(minute["messages"] * told["uptime_s"]) == 20
        assert minute["p99_ms"] >= minute["p50_ms"] > 0
        assert told["people"] == {"online": 5, "peak": 5, "unique": 5}
        assert told["rooms"] == {"up": 1, "known": 1, "quarantined": 0}
        assert told["memory_bytes"] > 2**20
        assert sum(told["series"]["messages"]) == pytest.approx(20, abs=1)
        (row,) = rows(hall)
        assert set(row) == ROW
        assert (row["room"], row["online"], row["state"], row["behind"]) == (MAIN, 5, "up", 0)
        assert row["deliveries_per_s"] == pytest.approx(5 * row["messages_per_s"], rel=0.05)
        assert set(row["budget"]) == {"post", "commit", "fanout", "moderation"}
        assert all(0 <= part < 1 for part in row["budget"].values())
        drawer = hall.house.board.snapshot(f"room:{MAIN}")
        assert drawer is not None
        assert set(drawer) == {"at", "row", "messages", "members", "policy"}
        assert [m["text"] for m in drawer["messages"]] == [str(n) for n in range(20)]  # type: ignore[attr-defined]
        assert len(drawer["members"]) == 5  # type: ignore[arg-type]
        for topic in ("stats", "rooms", f"room:{MAIN}"):
            msgspec.json.encode(hall.house.board.snapshot(topic))
        assert hall.house.board.snapshot("room:nowhere") is None
        assert hall.house.board.snapshot("weather") is None


async def test_snapshots_are_a_second_old_at_most(autojump_clock: MockClock) -> None:
    async with counted() as hall:
        await hall.guest()
        await trio.sleep(2)
        for _ in range(5):
            await trio.sleep(0.7)
            now = hall.house.clock.now().wall
            assert now - stats(hall)["at"] <= 1.01
            assert now - hall.house.board.snapshot("rooms")["at"] <= 1.01  # type: ignore[index,operator]


async def test_rooms_that_come_and_go_and_their_minutes_are_told(autojump_clock: MockClock) -> None:
    async with counted() as hall:
        ana = await hall.guest()
        for n in range(7):
            await ana.post(str(n)).wait()
        await trio.sleep(61)
        assert events(hall, "minute") == [f"{MAIN}: 7 messages, 1 joins in a minute"]
        await trio.sleep(200)
        assert len(events(hall, "minute")) == 1, "quiet minutes are not told"
        ana.go()
        await trio.sleep(900)
        assert events(hall, "room") == [f"room {MAIN} opened", f"room {MAIN} at rest"]
        assert [row["state"] for row in rows(hall)] == ["asleep"]
        assert hall.house.room_tallies == {}, "nothing is kept of a room at rest"
        assert stats(hall)["people"] == {"online": 0, "peak": 1, "unique": 1}


async def test_a_room_that_crashes_too_often_is_told_and_shown(autojump_clock: MockClock) -> None:
    async with counted() as hall:
        ana = await hall.guest()
        for _ in range(4):
            hall.faults.arm("handle Post")
            await ana.post().wait()
            await trio.sleep(0.1)
        await trio.sleep(2)
        assert hall.house.rooms.children[f"room:{MAIN}"].state is State.QUARANTINED
        told = stats(hall)
        assert told["rooms"]["quarantined"] == 1
        assert [(crash["room"], crash["exception"]) for crash in told["restarts"]] == [(MAIN, "Boom: handle Post")] * 4
        assert [row["state"] for row in rows(hall)] == ["quarantined"]
        assert any("set apart" in text for text in events(hall, "fault"))
        assert hall.house.board.snapshot(f"room:{MAIN}")["messages"] == []  # type: ignore[index]
        await trio.sleep(60)
        assert stats(hall)["rooms"]["quarantined"] == 0
        assert [row["state"] for row in rows(hall)] == ["up"]


async def test_a_crash_of_the_stats_hurts_nothing(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async with counted() as hall:
        phones = await hall.crowd(3)
        await trio.sleep(2)
        before, counts = stats(hall), hall.house.room_tallies[MAIN]
        with monkeypatch.context() as broken:
            broken.setattr(HouseNumbers, "sample", None)
            for n in range(10):
                await phones[0].post(str(n)).wait()
                await trio.sleep(1)
            assert {event.name for event in hall.events if isinstance(event, ChildCrashed)} == {"stats"}
            assert stats(hall) == before, "what was published stands, and grows old"
            assert hall.house.floors.children["stats"].state is State.QUARANTINED
        assert [len(phone.place().got) for phone in phones] == [10, 10, 10]
        assert hall.restarts.count(f"room:{MAIN}") == 0
        assert (await hall.house.refs[MAIN].ask(Census)).online == 3
        await trio.sleep(60)
        assert hall.house.floors.children["stats"].state is State.RUNNING
        assert stats(hall)["at"] > before["at"] + 30
        assert hall.house.room_tallies[MAIN] is counts
        assert (counts.committed, counts.delivered, counts.joins) == (10, 30, 3)
        assert events(hall, "room") == [f"room {MAIN} opened"], "nothing is told twice"


class Letters:
    waiting = 0
    taken = 0


def test_how_long_the_oldest_mail_has_waited_is_known_to_the_second() -> None:
    box, line = Letters(), Line()
    line.look(box, 10.0)
    assert (line.depth, line.oldest_s) == (0, 0.0)
    box.waiting = 5
    line.look(box, 11.0)
    assert (line.depth, line.oldest_s) == (5, 0.0)
    box.waiting = 8
    line.look(box, 12.0)
    assert line.oldest_s == 1.0
    box.waiting, box.taken = 3, 5
    line.look(box, 13.0)
    assert line.oldest_s == 1.0, "the five of the first look are gone; three of the second one wait"
    for second in range(5_000):
        box.waiting += 1
        line.look(box, 14.0 + second)
    assert line.oldest_s == 14.0 + 4_999 - 12.0
    assert len(line._marks) <= 600


def test_a_thousand_busy_rooms_leave_place_for_other_things_in_the_feed() -> None:
    feed = Feed(lambda: 0.0)
    tell_minutes(feed, [Minute(f"r{n:04}", n, 1) for n in range(1_000)])
    told = feed.replay()
    assert len(told) == MINUTES_TOLD + 1
    assert told[0].text == "r0999: 999 messages, 1 joins in a minute"
    assert told[-1].data == {"rooms": 950, "messages": sum(range(950)), "joins": 950}
    tell_minutes(feed, [Minute("quiet", 0, 0)])
    assert len(feed.replay()) == MINUTES_TOLD + 1


async def test_operators_read_in_a_room_what_they_have_hidden(autojump_clock: MockClock) -> None:
    async with counted() as hall:
        ana = await hall.guest()
        for text in ("one", "two", "three"):
            await ana.post(text).wait()
        answer = Answer()
        order = Moderate(answer, MemberId("m_operator"), Cid("order-1"), Hidden(2, "rude"))
        hall.house.refs[MAIN].urge(order)
        await answer.wait()
        await ana.delete(1).wait()
        await trio.sleep(2)
        drawer = hall.house.board.snapshot(f"room:{MAIN}")
        assert drawer is not None
        shown = [(m["seq"], m["text"], m["hidden"], m["deleted"]) for m in drawer["messages"]]  # type: ignore[attr-defined]
        assert shown == [(1, "", False, True), (2, "two", True, False), (3, "three", False, False)]
        assert hall.house.room_tallies[MAIN].committed == 3, "orders and deletions are no messages"
