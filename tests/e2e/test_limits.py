"""The limits as a client meets them: pace, silence, too many connections, and who one is."""

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from bench.wire import TEXT, masked
from tests.e2e.crowd import ROOM, settled, stored
from tests.e2e.server import Server, hosted, serving
from tests.e2e.talker import Gone, Json, Question, Talker, stranger, talking

PATIENCE = 60
HOUSE_PACE = {"limits__messages_per_s": 5, "limits__burst": 10, "limits__joins_per_s": 2, "limits__joins_burst": 10}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """At the pace that it has in a festival."""
    with hosted(tmp_path_factory.mktemp("house"), **HOUSE_PACE) as server:
        yield server


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that waits for nobody."""
    waits = {"limits__authenticate_s": 1, "limits__request_head_s": 1, "heartbeat__every_s": 1, "heartbeat__dead_s": 2}
    with hosted(tmp_path_factory.mktemp("brisk"), **waits) as server:
        yield server


async def flood(talker: Talker, count: int, name: str) -> list[Question]:
    return [await talker.begin("send", room=ROOM, text=f"{name} {n}", cid=f"{name}-{n}") for n in range(count)]


async def test_excess_is_read_slowly_then_refused_then_closed(house: Server) -> None:
    with trio.fail_after(PATIENCE):
        async with talking(house.port, "Hasty") as ana:
            assert (ana.hello["limits"]["messages_per_s"], ana.hello["limits"]["burst"]) == (5, 10)
            await ana.good("join", room=ROOM, since=None)
            began = trio.current_time()
            questions = await flood(ana, 60, "word")
            gone = await ana.gone()
            took = trio.current_time() - began
            assert gone.code == 4429
            assert gone.bye is not None
            assert gone.bye["retry_after_ms"] > 1_000
            answers = [question.answer for question in questions if question.answer is not None]
            oks = [answer["seq"] for answer in answers if answer["type"] == "ok"]
            refused = [answer for answer in answers if answer["type"] == "error"]
            assert len(oks) >= 15, "the burst, and what slower reading let through"
            assert took > 1, "it was read more slowly first"
            assert {answer["code"] for answer in refused} == {"rate"}
            assert all(answer["retry"] and answer["retry_after_ms"] > 0 for answer in refused)
            assert len(refused) >= 15
        async with talking(house.port, "Calm") as calm:
            await calm.good("join", room=ROOM, since=None)
            page = await calm.good("history", room=ROOM, limit=100)
            there = {item["cid"] for item in page["items"]}
            told: dict[str, set[str]] = {"ok": set(), "error": set()}
            for n, question in enumerate(questions):
                if question.answer is not None:
                    told[question.answer["type"]].add(f"word-{n}")
            assert told["ok"] <= there, "what was said to be stored is there"
            assert not told["error"] & there, "what was refused is not"


async def test_retries_spend_no_budget(house: Server) -> None:
    with trio.fail_after(PATIENCE):
        async with talking(house.port, "Stubborn") as ana:
            await ana.good("join", room=ROOM, since=None)
            first = await ana.good("send", room=ROOM, text="once", cid="once")
            began = trio.current_time()
            for _ in range(15):  # each time within the burst, and so that each costs no commit of its own
                many = [await ana.begin("send", room=ROOM, text="once", cid="once") for _ in range(8)]
                answers = [await ana.answer(question) for question in many]
                assert {(again["seq"], again["dup"]) for again in answers} == {(first["seq"], True)}
            assert trio.current_time() - began < 20, "not slowed down to 5 a second, which would be 22 s"


async def test_flood_into_a_tiny_mailbox_is_answered_to_the_last(
    tmp_path: Path, figures: Callable[[str], None]
) -> None:
    """Sixty people against a mailbox of one: each post is stored once or refused as busy, none is forgotten."""
    with trio.fail_after(PATIENCE):
        async with serving(tmp_path, limits__room_mailbox_messages=1) as server, trio.open_nursery() as nursery:
            results: dict[str, Json] = {}
            turned_away: list[Json] = []
            inside: list[str] = []

            async def shout(name: str) -> None:
                async with talking(server.port, name) as talker:
                    inside.append(name)
                    await settled(lambda: len(inside) == 60)  # all of them ask at once
                    while (answer := await talker.ask("join", room=ROOM, presence=False))["type"] == "error":
                        assert (answer["code"], answer["retry"]) == ("busy", True), answer
                        turned_away.append(answer)
                        await trio.sleep(answer["retry_after_ms"] / 1000 * random.random())
                    for n, question in enumerate(await flood(talker, 20, name)):
                        results[f"{name}-{n}"] = await talker.answer(question)

            for number in range(60):
                nursery.start_soon(shout, f"shouter{number}")
            await settled(lambda: len(results) == 60 * 20)
            oks = {cid: answer["seq"] for cid, answer in results.items() if answer["type"] == "ok"}
            errors = [answer for answer in results.values() if answer["type"] == "error"]
            assert all((answer["code"], answer["retry"]) == ("busy", True) for answer in errors)
            assert turned_away, "a mailbox of one was too small for sixty joins"
            figures(f"1 place, 60 people: {len(turned_away)} joins busy, {len(oks)} posts ok, {len(errors)} busy")
            assert await server.stop() == 0
            assert {row.cid: row.seq for row in stored(server.journal)} == oks


async def test_who_does_not_say_who_they_are_is_sent_away(brisk: Server) -> None:
    with trio.fail_after(PATIENCE):
        async with stranger(brisk.port) as nobody, await trio.open_tcp_stream("127.0.0.1", brisk.port) as silent:
            gone = await nobody.gone()
            assert (gone.code, (gone.bye or {}).get("code")) == (4104, 4104)
            assert nobody.hello["limits"]["authenticate_ms"] == 1_000
            assert (await silent.receive_some(4_096)).startswith(b"HTTP/1.1 408 ")


async def test_silent_client_is_asked_and_then_given_up(brisk: Server) -> None:
    """A connection was first looked at when a stranger's time was up, after 15 s, and then every 10 s, whatever the
    settings said."""
    with trio.fail_after(PATIENCE):
        async with talking(brisk.port, "Ana") as ana, talking(brisk.port, "Bo") as bo:
            ana.echo = False
            began = trio.current_time()
            await ana.hears("heartbeat")
            gone = await ana.gone()
            assert (gone.code, (gone.bye or {}).get("code")) == (4102, 4102)
            assert trio.current_time() - began < 12
            beats = [frame for frame in bo.heard if frame["type"] == "heartbeat"]
            assert len(beats) >= 2, "who echoes is asked again"
            assert (await bo.good("heartbeat"))["type"] == "ok"


async def test_fifth_connection_of_a_member_closes_the_oldest(house: Server) -> None:
    with trio.fail_after(PATIENCE):
        async with talking(house.port, "Ana") as first:
            token, member = first.ready["token"], first.ready["member"]
            async with (
                talking(house.port, token=token) as second,
                talking(house.port, token=token) as third,
                talking(house.port, token=token) as fourth,
            ):
                assert {each.ready["member"] for each in (second, third, fourth)} == {member}
                assert {each.ready["nickname"] for each in (second, third, fourth)} == {"Ana"}
                assert first.code is None
                async with talking(house.port, token=token) as fifth:
                    assert (await first.gone()).code == 4409
                    for each in (second, third, fourth, fifth):
                        await each.good("heartbeat")


async def test_without_anonymous_entry_only_a_token_lets_in(tmp_path: Path) -> None:
    with trio.fail_after(PATIENCE):
        async with serving(tmp_path) as server:
            async with talking(server.port, "Ana") as ana:
                was = ana.ready
            await server.stop()
            server.settings["auth.anonymous"] = "false"
            await server.start()
            async with stranger(server.port) as nobody:
                for _ in range(4):
                    answer = await nobody.enter("Bo")
                    assert (answer["type"], answer["code"]) == ("error", "unauthorized")
                assert (await nobody.refused("join", room=ROOM))["code"] == "unauthorized"
                last = await nobody.begin("auth", nickname="Bo")
                assert (await nobody.gone()).code == 4401
                assert last.answer is not None
            async with talking(server.port, token=was["token"]) as ana:
                assert (ana.ready["member"], ana.ready["nickname"]) == (was["member"], "Ana")


@pytest.mark.parametrize("asked", ["bandstand.v2", "bandstand.admin.v1", "chat"])
async def test_other_subprotocol_is_told_and_closed(asked: str, house: Server) -> None:
    with trio.fail_after(PATIENCE):
        async with stranger(house.port, subprotocol=asked) as nobody:
            gone = await nobody.gone()
            assert (gone.code, (gone.bye or {}).get("code")) == (4406, 4406)


def forged(token: str) -> list[str]:
    """As wrong as they come, one character at a time."""
    flipped = [token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :] for n in range(0, len(token) - 1, 7)]
    return [*flipped, token[:-4], token + "A", "", "." * 40, token.upper()]


async def test_nobody_speaks_in_anothers_name(house: Server) -> None:
    with trio.fail_after(PATIENCE):
        async with talking(house.port, "Ana") as ana, talking(house.port, "Eve") as eve:
            for each in (ana, eve):
                await each.good("join", room=ROOM, since=None)
            mine = await ana.good("send", room=ROOM, text="mine", cid="one")
            lie = {"member": ana.ready["member"], "nickname": "Ana", "author": ana.ready["member"]}
            told = await eve.good("send", room=ROOM, text="I am Ana", cid="one", **lie)
            frame = await ana.hears("message", seq=told["seq"])
            assert (frame["member"], frame["nickname"]) == (eve.ready["member"], "Eve")
            assert told["seq"] != mine["seq"], "cids are each author's own"
            for what in ({"type": "edit", "text": "hers"}, {"type": "delete"}):
                answer = await eve.refused(room=ROOM, target=mine["seq"], cid=f"eve-{what['type']}", **what)
                assert answer["code"] == "forbidden"
            twice = await eve.refused("auth", token=ana.ready["token"])
            assert twice["code"] == "forbidden"
            tokens = forged(ana.ready["token"])
            for start in range(0, len(tokens), 4):
                async with stranger(house.port) as thief:
                    for token in tokens[start : start + 4]:
                        answer = await thief.enter(token=token)
                        assert (answer["type"], answer["code"]) == ("error", "unauthorized"), token
            async with talking(house.port, "Ana") as namesake:
                ok = await namesake.good("join", room=ROOM, since=None)
                assert ok["nickname"] != "Ana", "two of one name are told apart"
                assert namesake.ready["member"] != ana.ready["member"]


async def test_what_is_no_frame_is_answered_and_then_closed(house: Server) -> None:
    with trio.fail_after(PATIENCE):
        async with talking(house.port, "Ana") as ana, talking(house.port, "Bo") as bo:
            for junk in (b"{", b"[]", b'"hi"', b"null", b'{"type":7}', b'{"type":"send"}'):
                await ana.raw(masked(TEXT, junk))
            assert (await ana.refused("dance"))["code"] == "unknown_type"
            for _ in range(10):
                with suppress(Gone):
                    await ana.raw(masked(TEXT, b"{"))
            assert (await ana.gone()).code == 4400
            errors = [frame for frame in ana.heard if frame["type"] == "error"]
            assert {frame["code"] for frame in errors} == {"bad_frame"}
            await bo.good("heartbeat")
