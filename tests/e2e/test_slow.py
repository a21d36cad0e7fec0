"""One phone at the edge of the field, in a room where much is said: it loses nothing, and nobody else notices."""

import os
import statistics
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest
import trio

from tests.e2e.choir import Listener, choir, p99_ms
from tests.e2e.crowd import ROOM, Ledger, Place, settled
from tests.e2e.server import Server, serving
from tests.e2e.talker import Gone, Question, Talker, talking

TEXT_BYTES = 500
UNANSWERED = 200
"""Posts under way at most: who does not read their answers is cut, and rightly."""
MIB = 2**20
PAIRS = int(os.environ.get("BANDSTAND_TEST_PAIRS", "5"))


class Flood:
    """`posted` grows as it goes; every text says when it was posted."""

    def __init__(self, poster: Talker) -> None:
        self.poster = poster
        self.posted = 0
        self._numbers: Iterator[int] = count()
        poster.on_push = lambda frame: poster.heard.clear()

    async def say(self, messages: int, per_s: float) -> None:
        """At an even pace, but for a machine that is too busy to answer; returns with the last answer."""
        began, questions = trio.current_time(), deque[Question]()
        for n in range(messages):
            await trio.sleep_until(began + n / per_s)
            if len(questions) == UNANSWERED:
                await self._stored(questions.popleft())
            stamp = f"{int(trio.current_time() * 1e6)} ".ljust(TEXT_BYTES, "x")
            questions.append(await self.poster.begin("send", room=ROOM, text=stamp, cid=f"flood-{next(self._numbers)}"))
            self.posted += 1
        for question in questions:
            await self._stored(question)

    async def _stored(self, question: Question) -> None:
        answer = await self.poster.answer(question)
        assert answer["type"] == "ok", answer


async def arrived(singers: list[Listener], head: int) -> None:
    await settled(lambda: all(singer.seq >= head or singer.over for singer in singers))
    assert not [singer.over for singer in singers if singer.over]


async def follow(place: Place, talker: Talker, since: object = None) -> None:
    """The slow member's own books."""
    place.joining = talker.soon("join")

    def push(frame: dict[str, object]) -> None:
        talker.heard.clear()
        place.push(frame)

    talker.on_push = push
    answer = await talker.put(place.joining, room=ROOM, since=since, tail=0, presence=False)
    assert answer["type"] == "ok", answer


class Scales:
    """Weighs the server now and then."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.seen: list[int] = []

    async def weigh(self) -> None:
        while True:
            self.seen.append(self.server.resident_bytes())
            await trio.sleep(0.25)

    @property
    def growth(self) -> float:
        """MiB from the end of the first tenth to the most."""
        return (max(self.seen) - self.seen[len(self.seen) // 10]) / MIB


@pytest.mark.parametrize(
    ("others", "megabytes", "per_s", "awake"),
    [
        pytest.param(40, 2, 2_000, True, id="quick"),
        pytest.param(200, 20, 400, False, id="whole", marks=pytest.mark.slow),
    ],
)
async def test_slow_member_catches_up_and_others_keep_order(
    others: int, megabytes: int, per_s: float, awake: bool, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """`awake`: after the flood the line is good again; otherwise it stays at 1 kB/s."""
    messages = megabytes * 1_000_000 // TEXT_BYTES
    with trio.fail_after(120 + 3 * messages / per_s):
        async with (
            serving(tmp_path) as server,
            talking(server.port, "Poster") as poster,
            talking(server.port, "Slow", receive_buffer=16_384) as slow,
            trio.open_nursery() as nursery,
            choir(server.port, others) as singers,
        ):
            await poster.good("join", room=ROOM, since=None)
            flood, place, scales = Flood(poster), Place(Ledger()), Scales(server)
            await follow(place, slow)
            await settled(lambda: place.caught_up >= 0)
            slow.pace = 1_000
            nursery.start_soon(scales.weigh)
            await flood.say(messages, per_s)
            ended = trio.current_time()
            if awake:
                slow.pace = None
            await settled(lambda: place.seq >= messages and place.caught_up >= 0)
            took = trio.current_time() - ended
            await arrived(singers, messages)
            assert place.behind >= 1, "it was told that it was behind"
            assert took < 60
            assert not slow.code, "nobody is thrown out for being slow"
            left_out = sum(gap["to"] - gap["from"] + 1 for gap in place.gaps)
            assert {gap["why"] for gap in place.gaps} <= {"too_many"}
            assert place.heard + left_out == messages, "every number is either heard or named in a gap"
            page = await poster.good("history", room=ROOM, after=place.gaps[0]["from"] - 1, limit=5) if left_out else {}
            assert not left_out or page["items"][0]["seq"] == place.gaps[0]["from"], "what was left out can be paged"
            assert scales.growth < 64
            level = [singer for singer in singers if not singer.behind]
            figures(
                f"{others} others, {messages} messages: slow heard {place.heard}, {left_out} in {len(place.gaps)} gaps,"
                f" {place.behind} behind, level {took:.1f} s after the end; server grew {scales.growth:.1f} MiB;"
                f" others' p99 {p99_ms(singers):.0f} ms, {len(level)} never behind"
            )
            nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_others_pace_with_and_without_a_slow_member(tmp_path: Path, figures: Callable[[str], None]) -> None:
    """The median of interleaved pairs, since the machine is never quiet."""
    messages, per_s = 4_000, 400.0
    ratios, shown = [], []
    with trio.fail_after(60 + PAIRS * 6 * messages / per_s):
        async with (
            serving(tmp_path) as server,
            talking(server.port, "Poster") as poster,
            choir(server.port, 200) as singers,
        ):
            await poster.good("join", room=ROOM, since=None)
            flood = Flood(poster)

            async def p99() -> float:
                for singer in singers:
                    singer.stamps.clear()
                await flood.say(messages, per_s)
                await arrived(singers, flood.posted)
                return p99_ms(singers)

            for _ in range(PAIRS):
                without = await p99()
                async with talking(server.port, "Slow", receive_buffer=16_384) as slow:
                    await follow(Place(Ledger()), slow)
                    slow.pace = 1_000
                    beside = await p99()
                ratios.append(beside / without)
                shown.append(f"{without:.0f}/{beside:.0f}")
            figures(
                f"p99 in ms without/beside a slow one: {', '.join(shown)}; median ratio {statistics.median(ratios):.2f}"
            )
            assert statistics.median(ratios) < 1.2


async def test_member_who_reads_nothing_is_cut_and_resumes(tmp_path: Path) -> None:
    beats = {"outlet__stuck_s": 1, "heartbeat__every_s": 1, "heartbeat__dead_s": 20}
    with trio.fail_after(90):
        async with serving(tmp_path, **beats) as server, talking(server.port, "Poster") as poster:
            await poster.good("join", room=ROOM, since=None)
            flood, place = Flood(poster), Place(Ledger())
            async with talking(server.port, "Stuck", receive_buffer=16_384) as stuck:
                await follow(place, stuck)
                await settled(lambda: place.caught_up >= 0)
                token = stuck.ready["token"]
                stuck.may_read = trio.Event()
                while not await server.figure("connections_closed_total"):
                    await flood.say(50, 500)
                _, page = await server.get("/metrics")
                assert 'bandstand_connections_closed_total{reason="stuck"} 1.0' in page
                stuck.may_read.set()
                assert (await stuck.gone()).code == 1006, "a reset: nothing more can be said to it"
            await flood.say(50, 500)
            async with talking(server.port, token=token) as back:
                await follow(place, back, place.since)
                with suppress(Gone):
                    await back.until(lambda: place.seq >= flood.posted)
            assert place.seq == flood.posted
            left_out = sum(gap["to"] - gap["from"] + 1 for gap in place.gaps)
            assert place.heard + left_out == flood.posted
