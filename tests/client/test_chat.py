"""`bandstand chat` against a server on a real port: what goes where, and how it ends."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bandstand.cli import main
from bandstand.cli.lines import line, plain
from bandstand.client import Gap, Message
from gateway.protocol import client
from tests.client.fake_server import FakeHouse, Fault, no
from tests.client.live import LiveHouse

Chat = Callable[..., Result]
BO = "m_01K4AAAAAAAAAAAAAAAAAAAAAB"


@pytest.fixture
def live() -> Iterator[LiveHouse]:
    house = FakeHouse()
    house.room("main-stage", "brass-lamp-17")
    with LiveHouse(house) as running:
        yield running


@pytest.fixture
def chat(live: LiveHouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chat:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def call(typed: str, *words: str, url: str = "", options: tuple[str, ...] = ()) -> Result:
        where = words or ("--room", "main-stage", "--name", "Ana")
        return CliRunner().invoke(main, [*options, "chat", url or live.url, *where], input=typed, prog_name="bandstand")

    return call


def stage(live: LiveHouse) -> Any:
    return live.house.room("main-stage")


def test_a_pipe_is_sent_line_by_line_and_ends_when_all_is_stored(chat: Chat, live: LiveHouse) -> None:
    result = chat("one\n\ntwo\n//three\nfour")
    assert (result.exit_code, stage(live).head) == (0, 4)
    assert [entry.text for entry in stage(live).entries] == ["one", "two", "/three", "four"]
    assert "closed 1000" in live.house.log


def test_lines_cut_off_on_the_way_are_stored_once_and_in_order(chat: Chat, live: LiveHouse) -> None:
    live.house.faults.update(dict.fromkeys((11, 19, 24, 33, 41), Fault.CUT))
    result = chat("".join(f"line {n}\n" for n in range(12)))
    assert result.exit_code == 0
    assert [entry.text for entry in stage(live).entries] == [f"line {n}" for n in range(12)]
    assert live.house.arrivals > 3


def test_what_was_said_before_is_shown_on_stdout_and_remarks_on_stderr(chat: Chat, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "good evening", BO)
    result = chat("/history\n")
    assert "#1 Bo: good evening" in result.stdout
    assert "in Main Stage as Ana, 1 here" in result.stderr
    assert "--" not in result.stdout


def test_commands(chat: Chat, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "who has a tent?", BO)
    typed = "/who\n/reply 1 I do\n/react #1 🎉\n/edit 2 I do, a green one\n/history 5\n/delete 2\n/history 1 3\n/help\n"
    result = chat(typed)
    assert result.exit_code == 0, result.stderr
    assert "-- 1 here: Ana" in result.stdout
    assert "#2 Ana (to #1): I do, a green one (edited)" in result.stdout
    assert "who has a tent?  🎉 1" in result.stdout
    assert "#2 (removed)" in result.stdout
    assert "/react SEQ EMOJI" in result.stdout


@pytest.mark.parametrize("typed", ["/nope\n", "/edit x\n", "/react 1 word\n", "/delete 99\n", "x" * 2_001 + "\n"])
def test_what_cannot_be_done_is_said_and_the_rest_goes_on(typed: str, chat: Chat, live: LiveHouse) -> None:
    result = chat(typed + "still here\n")
    assert result.exit_code == 4
    assert [entry.text for entry in stage(live).entries] == ["still here"]


def test_a_refusal_reaches_the_terminal(chat: Chat, live: LiveHouse) -> None:
    live.house.refuse = lambda frame: no(frame, "muted") if isinstance(frame, client.Send) else None
    result = chat("let me\n")
    assert (result.exit_code, "refused: muted it is" in result.stderr) == (4, True)


def test_ends_have_their_exit_codes(chat: Chat, live: LiveHouse) -> None:
    assert chat("", "--room", "x").exit_code == 2
    assert chat("", "--name", "Ana").exit_code == 2
    assert chat("", url="ftp://nowhere").exit_code == 2
    assert chat("", url="http://a..b/").exit_code == 2
    assert chat("", "--room", "main-stage", "--name", "\x1b[2J").exit_code == 2
    result = chat("", url="http://127.0.0.1:9/")
    assert (result.exit_code, "does not answer" in result.stderr) == (3, True)
    live.house.refuse = lambda frame: no(frame, "banned") if isinstance(frame, client.Join) else None
    assert chat("").exit_code == 4


def test_a_poster_names_the_room(chat: Chat, live: LiveHouse) -> None:
    assert chat("hi\n", "--name", "Ana", url=f"{live.url}#code=brass-lamp-17").exit_code == 0
    assert stage(live).head == 1


def test_the_same_name_is_the_same_person_next_time_in_a_file_nobody_else_reads(
    chat: Chat, live: LiveHouse, tmp_path: Path
) -> None:
    chat("one\n")
    chat("two\n")
    chat("three\n", "--room", "main-stage", "--name", "Ana", "--new")
    first, second, third = (entry.member for entry in stage(live).entries)
    assert first == second != third
    (file,) = (tmp_path / "bandstand").iterdir()
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    live.call(live.house.members.clear)
    result = chat("four\n")
    assert result.exit_code == 0
    assert "not remembered here any more" in result.stderr


def test_json_is_one_document_an_event(chat: Chat, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "good \u202e evening", BO)
    result = chat("/who\nx\n", options=("--json",))
    events = [json.loads(each) for each in result.stdout.splitlines() if each.startswith("{")]
    assert {"event": "ConnectionState", "state": "online"}.items() <= events[1].items()
    said = [event for event in events if event["event"] == "Message"]
    assert said[0]["text"] == "good \u202e evening"


@pytest.mark.parametrize(
    ("wrote", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\rb", "a\\rb"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("two\nlines", "two ⏎ lines"),
        ("\u2028\x9b31m\x00\x7f", "\\u2028\\x9b31m\\x00\\x7f"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("👩\u200d🚒 é ß 漢", "👩\u200d🚒 é ß 漢"),
        ("\udc80", "\\udc80"),
    ],
)
def test_nothing_that_people_write_moves_the_terminal(wrote: str, shown: str) -> None:
    assert plain(wrote) == shown
    said = line(Message("main-stage", "1e", 1, 0.0, BO, wrote[:8], wrote))
    assert said is not None
    assert said.isprintable() or "\u200d" in said


def test_a_gap_says_how_to_see_what_is_missing() -> None:
    said = line(Gap("main-stage", 3, 14, "too_many"))
    assert said == "-- #3 to #14: not shown (/history 12 15 shows them)"
    assert line(Gap("main-stage", 1, 0, "epoch")) == "-- the room has begun anew"
