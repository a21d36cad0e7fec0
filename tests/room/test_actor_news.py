"""What a room tells that can wait a second: who is here, reactions, who is typing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from attrs import define, field
from trio.testing import MockClock

from actors.events import Policy
from actors.names import Epoch, MemberId, Nickname, RoomName, skeleton, with_suffix
from actors.people.outlet import Seat
from actors.people.precedence import Precedence
from actors.room.news import News
from actors.room.presence import Presence
from tests.room.fakes import FakeOutlet, LineVoice, words
from tests.room.hall import LoopClock

MAIN = RoomName("main")


@define(repr=False)
class Stage:
    news: News
    presence: Presence
    voice: LineVoice
    seats: dict[FakeOutlet, Seat]
    nursery: trio.Nursery
    policy: Policy = field(factory=Policy)
    heard: dict[str, list[list[str]]] = field(factory=dict)

    def enter(self, name: str, *, wants: bool = True) -> Seat:
        member, heard = MemberId(f"m_{name}"), self.heard.setdefault(name, [])
        outlet = FakeOutlet(self.nursery, lambda frames: heard.extend(map(words, frames.splitlines())))
        given = self.presence.enter(member, Nickname(name))
        seat = self.seats[outlet] = Seat(MAIN, member, given, outlet, Epoch("e"), presence=wants)
        self.news.people_changed()
        return seat

    def leave(self, seat: Seat) -> None:
        self.seats.pop(seat.outlet)  # type: ignore[call-overload]
        self.presence.leave_now(seat.member)
        self.news.people_changed()

    @property
    def made(self) -> int:
        return sum(self.voice.calls.values())


@asynccontextmanager
async def stage(precedence: Precedence | None = None) -> AsyncIterator[Stage]:
    voice, seats = LineVoice(), dict[FakeOutlet, Seat]()
    presence = Presence("i1", skeleton, with_suffix)
    async with trio.open_nursery() as nursery:
        room = Stage(News(MAIN, voice, presence, seats.values(), precedence), presence, voice, seats, nursery)
        nursery.start_soon(room.news.tell, LoopClock(), lambda: room.policy)
        yield room
        nursery.cancel_scope.cancel()


async def test_comings_and_goings_of_a_second_are_one_diff(autojump_clock: MockClock) -> None:
    async with stage() as room:
        room.enter("ana")
        await trio.sleep(3)
        assert room.heard["ana"] == [["diff", "main", "i1", "1", "ana", "", "1"]]
        bo, cy = room.enter("bo"), room.enter("cy")
        await trio.sleep(0.1)
        room.enter("di")
        room.leave(bo)
        await trio.sleep(0.1)
        room.leave(cy)
        await trio.sleep(3)
        assert room.heard["ana"][1:] == [
            ["diff", "main", "i1", "2", "bo,cy", "", "3"],
            ["diff", "main", "i1", "3", "di", "m_bo,m_cy", "2"],
        ]


async def test_who_comes_and_goes_within_a_second_is_not_mentioned(autojump_clock: MockClock) -> None:
    async with stage() as room:
        room.enter("ana")
        await trio.sleep(0.1)
        room.leave(room.enter("bo"))
        await trio.sleep(10)
        assert len(room.heard["ana"]) == 1


async def test_a_room_in_which_nothing_happens_does_not_wake(autojump_clock: MockClock) -> None:
    """It looked once a second, for ever, at presence that nobody wanted to hear, or that had evened out."""
    async with stage() as room:
        room.policy = Policy(presence="off")
        room.enter("ana")
        room.leave(room.enter("bo"))
        await trio.sleep(5)
        looks = 0
        due = room.presence.due

        def counted(now: float, allowed: str) -> object:
            nonlocal looks
            looks += 1
            return due(now, allowed)

        room.presence.due = counted  # type: ignore[method-assign,assignment]
        await trio.sleep(100)
        assert looks == 0
        room.enter("cy")
        await trio.sleep(5)
        assert looks >= 1
        assert room.heard["ana"] == []


async def test_who_does_not_want_presence_is_not_told(autojump_clock: MockClock) -> None:
    async with stage() as room:
        room.enter("ana")
        room.enter("bo", wants=False)
        room.news.reacted(7, {"+": 1})
        await trio.sleep(3)
        assert [line[0] for line in room.heard["ana"]] == ["diff", "reactions"]
        assert [line[0] for line in room.heard["bo"]] == ["reactions"]


async def test_of_reactions_only_the_newest_count_of_each_message_is_told(autojump_clock: MockClock) -> None:
    async with stage() as room:
        room.enter("ana")
        await trio.sleep(3)
        room.heard["ana"].clear()
        for n in range(1, 50):
            room.news.reacted(7, {"+": n})
            room.news.reacted(8, {"-": n})
            await trio.sleep(0.01)
        await trio.sleep(3)
        lines = room.heard["ana"]
        assert lines[-1] == ["reactions", "main", "7+49 8-49"]
        assert len(lines) <= 2


async def test_what_waits_in_a_slow_line_is_replaced_by_what_is_newer(autojump_clock: MockClock) -> None:
    async with stage() as room:
        seat = room.enter("ana")
        assert isinstance(seat.outlet, FakeOutlet)
        await trio.sleep(2)
        seat.outlet.at_pace(0)
        for n in range(1, 6):
            room.news.reacted(7, {"+": n})
            room.news.reacted(8, {"+": n})
            room.enter(f"guest{n}")
            await trio.sleep(2)
        room.heard["ana"].clear()
        seat.outlet.at_pace(None)
        await trio.sleep(1)
        assert sum(line[0] == "reactions" for line in room.heard["ana"]) <= 3, "the one under way, then the newest"
        assert ["reactions", "main", "7+5 8+5"] in room.heard["ana"]


async def test_what_a_slow_line_has_not_heard_is_in_what_replaces_it(autojump_clock: MockClock) -> None:
    """There is one frame a second for all messages, and the newest replaces the one that waits."""
    async with stage() as room:
        seat = room.enter("ana")
        assert isinstance(seat.outlet, FakeOutlet)
        await trio.sleep(2)
        seat.outlet.at_pace(0)
        for n in range(1, 9):
            room.news.reacted(n, {"+": n})
            await trio.sleep(1)
        room.news.forget(8)
        room.news.reacted(1, {})
        await trio.sleep(1)
        room.heard["ana"].clear()
        seat.outlet.at_pace(None)
        await trio.sleep(1)
        assert room.heard["ana"][-1] == ["reactions", "main", "2+2 3+3 4+4 5+5 6+6 7+7"]


async def test_what_was_told_long_ago_is_not_told_again(autojump_clock: MockClock) -> None:
    async with stage() as room:
        room.enter("ana")
        room.news.reacted(7, {"+": 1})
        await trio.sleep(60)
        room.news.reacted(8, {"+": 1})
        await trio.sleep(2)
        assert room.heard["ana"][-1] == ["reactions", "main", "8+1"]


async def test_one_send_a_seat_and_second_whoever_types_and_whatever_is_liked(autojump_clock: MockClock) -> None:
    """There was one for each typist and each message: 200 who typed in one room cost 40,000 sends a second."""
    async with stage() as room:
        for n in range(150):
            room.enter(str(n))
        await trio.sleep(5)
        offers: list[str] = []

        def news(key: str, frame: bytes) -> None:
            offers.append(key)

        for outlet in room.seats:
            outlet.news = news  # type: ignore[method-assign]
        for _ in range(10):
            for n in range(150):
                room.news.typing(MemberId(f"m_{n}"), Nickname(str(n)))
                room.news.reacted(n, {"+": n})
            await trio.sleep(1)
        await trio.sleep(5)
        assert set(offers) == {"main:reactions", "main:typing"}
        assert len(offers) <= 150 * 2 * 12


async def test_all_counts_are_told_in_the_end_few_at_a_time(autojump_clock: MockClock) -> None:
    async with stage() as room:
        room.enter("ana")
        for n in range(1_000):
            room.news.reacted(n, {"+": n})
        await trio.sleep(15)
        frames = [line[2].split() for line in room.heard["ana"] if line[0] == "reactions"]
        assert {told for frame in frames for told in frame} == {f"{n}+{n}" for n in range(1_000)}
        assert max(map(len, frames)) <= 100


async def test_the_latest_typists_are_told(autojump_clock: MockClock) -> None:
    async with stage() as room:
        for n in range(100):
            room.enter(str(n))
        await trio.sleep(5)
        for n in [*range(100), 3]:
            room.news.typing(MemberId(f"m_{n}"), Nickname(str(n)))
        await trio.sleep(3)
        typing = [line[3] for line in room.heard["5"] if line[0] == "typing"]
        assert typing == [str(n) for n in (*range(81, 100), 3)]


async def test_typing_is_told_to_the_others_only(autojump_clock: MockClock) -> None:
    """It came back to its author, on all their connections."""
    async with stage() as room:
        for name in ("ana", "bo", "cy"):
            room.enter(name)
        tablet = FakeOutlet(room.nursery, lambda frame: room.heard["ana"].append(words(frame)))
        room.seats[tablet] = Seat(MAIN, MemberId("m_ana"), Nickname("ana"), tablet, Epoch("e"))
        await trio.sleep(5)

        def typing() -> dict[str, list[str]]:
            found = {name: [line[3] for line in lines if line[0] == "typing"] for name, lines in room.heard.items()}
            for lines in room.heard.values():
                lines.clear()
            return found

        room.news.typing(MemberId("m_ana"), Nickname("ana"))
        await trio.sleep(0.1)
        assert typing() == {"ana": [], "bo": ["ana"], "cy": ["ana"]}
        room.news.typing(MemberId("m_ana"), Nickname("ana"))
        room.news.typing(MemberId("m_bo"), Nickname("bo"))
        made = room.voice.calls["typing"]
        await trio.sleep(2)
        assert typing() == {"ana": ["bo", "bo"], "bo": ["ana"], "cy": ["ana", "bo"]}, "ana has two connections"
        assert room.voice.calls["typing"] == made + 2, "one frame each for everybody"


async def test_news_wait_while_an_alert_is_carried(autojump_clock: MockClock) -> None:
    precedence = Precedence()
    async with stage(precedence) as room:
        for n in range(600):
            room.presence.enter(MemberId(f"m_{n}"), Nickname(str(n)))
            outlet = FakeOutlet(room.nursery)
            room.seats[outlet] = Seat(MAIN, MemberId(f"m_{n}"), Nickname(str(n)), outlet, Epoch("e"), presence=False)
        heard: list[float] = []
        for outlet in room.seats:
            outlet.news = lambda key, frame: heard.append(trio.current_time())  # type: ignore[method-assign]
        with precedence.first():
            room.news.reacted(1, {"+": 1})
            await trio.sleep(0.5)
            assert 0 < len(heard) < 600
        await trio.sleep(0.1)
        assert len(heard) == 600


async def test_typing_is_told_in_small_rooms_only(autojump_clock: MockClock) -> None:
    async with stage() as room:
        for n in range(200):
            room.enter(str(n))
        await trio.sleep(2)
        for _ in range(10):
            room.news.typing(MemberId("m_0"), Nickname("0"))
            await trio.sleep(0.1)
        await trio.sleep(2)
        assert 1 <= sum(line[0] == "typing" for line in room.heard["5"]) <= 3
        room.enter("one more")
        await trio.sleep(2)
        typing = room.voice.calls["typing"]
        room.news.typing(MemberId("m_0"), Nickname("0"))
        await trio.sleep(2)
        assert room.voice.calls["typing"] == typing


async def test_a_storm_of_joins_costs_a_few_looks_a_member(autojump_clock: MockClock) -> None:
    """10,000 at once into one room: what is told stays in proportion to who is there, not to its square."""
    offers = 0

    class Counting:
        def news(self, key: str, frame: bytes) -> None:
            nonlocal offers
            offers += 1

    async with stage() as room:
        for n in range(10_000):
            member = MemberId(f"m_{n}")
            room.presence.enter(member, Nickname(f"n{n}"))
            outlet = Counting()
            room.seats[outlet] = Seat(MAIN, member, Nickname(f"n{n}"), outlet, Epoch("e"))  # type: ignore[index,arg-type]
            room.news.people_changed()
            if n % 1_000 == 999:
                await trio.sleep(0.5)
        await trio.sleep(60)
        assert room.presence.online == 10_000
        assert offers <= 3 * 10_000
        assert room.made <= 5


async def test_who_comes_while_it_is_told_hears_the_next(autojump_clock: MockClock) -> None:
    async with stage() as room:
        for n in range(300):
            room.enter(str(n))
        await trio.lowlevel.checkpoint()
        room.enter("late")
        room.news.reacted(1, {"+": 1})
        await trio.sleep(10)
        assert ["reactions", "main", "1+1"] in room.heard["late"]
