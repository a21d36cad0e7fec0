"""`bandstand chat` for stewards: an alert is shown and answered, help can be called for, a private note is read.

None of it was: whoever sat at a terminal was not warned, and stood as not reached in the organisers' ledger."""

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field
from click.testing import CliRunner, Result

from actors.alerts.vocabulary import Kind
from bandstand.cli import main
from bandstand.cli.alert_lines import alert_lines
from bandstand.cli.context import Cli
from bandstand.cli.heeding import NOTE, Heeding
from bandstand.cli.lines import line
from bandstand.client import Alert, AlertOver, PrivateNote
from bandstand.client.alerts import alert_of
from gateway.alerts import frame_of
from gateway.protocol import orders, server
from gateway.protocol.client import Auth, Join
from gateway.protocol.codec import encode
from tests.alerts.making import draft
from tests.alerts.test_cap import alert
from tests.cli.terminal import HOSTILE, OBEYED
from tests.client.fake_server import FakeHouse, no
from tests.client.live import LiveHouse

NAME = alert(draft()).id


def made(rev: int = 1, kind: Kind = Kind.ALERT, **changes: Any) -> server.AlertFrame:
    return evolve(frame_of(alert(draft(**changes), rev, kind)), receipt_spread_ms=0)


def listed(frame: server.AlertFrame) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode(frame))
    return found


class Typed(io.BufferedIOBase):
    """A keyboard: each line is typed when what it waits for has come about."""

    def __init__(self, *lines: tuple[Callable[[], object], str]) -> None:
        self._lines = list(lines)

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        if not self._lines or size == 0:
            return b""
        waits_for, text = self._lines.pop(0)
        until = time.monotonic() + 60
        while not waits_for() and time.monotonic() < until:
            time.sleep(0.01)
        return text.encode()

    read = read1


@define
class Stand:
    """A terminal at a house that has an alert."""

    live: LiveHouse
    receipts: list[dict[str, Any]] = field(factory=list)
    notes: list[str] = field(factory=list)
    """What the terminal has remarked so far."""

    def overhear(self, text: str) -> list[Any] | None:
        frame = json.loads(text)
        if frame["type"] != "alert_receipt":
            return None
        self.receipts.append(frame)
        return [{"type": "ok", "re": frame["id"]}]

    def told(self, *states: str) -> Callable[[], bool]:
        return lambda: [each["state"] for each in self.receipts] == list(states)

    def say(self, frame: Any) -> Callable[[], bool]:
        """As a thing to wait for: the house says it, once."""

        def said() -> bool:
            self.live.call(self.live.house.say_all, frame)
            return True

        return said

    def away(self) -> bool:
        """The house is gone, and the terminal has said so."""
        self.live.house.down = True
        self.live.call(self.live.house.cut_all)
        return self.noted("-- offline since")()

    def back(self) -> bool:
        self.live.house.down = False
        return True

    def noted(self, words: str) -> Callable[[], bool]:
        return lambda: any(words in each for each in self.notes)

    def chat(self, *typed: tuple[Callable[[], object], str], options: tuple[str, ...] = ()) -> Result:
        words = [*options, "chat", self.live.url, "--room", "main-stage", "--name", "Stew"]
        return CliRunner().invoke(main, words, input=Typed(*typed), prog_name="bandstand")


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(Heeding, "on_a_screen", True)
    house = FakeHouse()
    house.room("main-stage")
    with LiveHouse(house) as live:
        here = Stand(live)
        note = Cli.note
        monkeypatch.setattr(Cli, "note", lambda cli, text: (here.notes.append(text), note(cli, text))[1])
        house.overhear = here.overhear
        house.alerts = (listed(made(status="exercise")),)
        yield here


def test_an_alert_is_shown_received_seen_and_read(stand: Stand) -> None:
    result = stand.chat((stand.told("received", "seen"), "/read\n"))
    assert result.exit_code == 0, result.output
    assert stand.told("received", "seen", "acknowledged")()
    assert {(each["alert"], each["rev"]) for each in stand.receipts} == {(NAME, 1)}
    lines = [each.partition("!! ")[2] for each in result.stdout.splitlines() if "!! " in each]
    assert lines[0].startswith(f"DRILL ALERT {NAME}: extreme; Leave the area; until ")
    assert lines[1:] == [
        "DRILL Leave by the north gate",
        "DRILL Walk, do not run.",
        "DRILL /read when you have read this; /help-me NOTE if you need help",
    ]
    assert f"-- the organisers know that you have read {NAME}" in result.stderr


def test_help_is_called_for_with_a_note(stand: Stand) -> None:
    typed = f"/help-me my leg\n/help-me {NAME.lower()} at gate C\n/help-me\n"
    result = stand.chat((stand.told("received", "seen"), typed))
    assert result.exit_code == 0, result.output
    asked = [(each["state"], each.get("note", "")) for each in stand.receipts[2:]]
    assert asked == [("help", "my leg"), ("help", "at gate C"), ("help", "")]
    assert result.stderr.count("-- the organisers know that you need help") == 3


@pytest.mark.parametrize(
    ("typed", "left"),
    [("/help-me I fell at gate B\n", 2), ("/read\n", 2), ("/who\n/reply 1 yes\n/help-me I fell\n", 4), ("", 1)],
)
def test_who_quits_offline_is_told_all_that_stays_behind(typed: str, left: int, stand: Stand) -> None:
    """Nothing was said of the call for help, /quit was not heard before it had gone out, and the line typed between
    the two was lost without a word."""
    stand.chat(
        (stand.told("received", "seen"), "\n"),
        (stand.away, typed or "\n"),
        (stand.noted("-- kept until online") if typed else lambda: True, "hello all\n/quit\n"),
        (stand.noted("-- left behind"), "\n"),
        (stand.back, "\n"),
    )
    assert [each for each in stand.notes if "left behind" in each] == [f"-- left behind, not sent: {left}"]
    assert not typed or stand.noted("-- kept until online")()
    assert stand.told("received", "seen")()


def test_words_behind_the_one_under_way_are_left_behind_too(stand: Stand) -> None:
    stand.chat((stand.told("received", "seen"), "\n"), (stand.away, "one\ntwo\nthree\n/quit\n"))
    assert "-- left behind, not sent: 3" in stand.notes


def test_what_was_said_offline_goes_out_in_its_order(stand: Stand) -> None:
    result = stand.chat(
        (stand.told("received", "seen"), "\n"),
        (stand.away, "/help-me I fell\n/help-me at gate B\nhello all\n/read\n"),
        (stand.back, ""),
    )
    assert result.exit_code == 0, result.output
    told = [each.get("note", each["state"]) for each in stand.receipts[2:]]
    assert [each for each in told if each != "seen"] == ["I fell", "at gate B", "acknowledged"]
    assert [each.text for each in stand.live.house.room("main-stage").entries] == ["hello all"]


@pytest.mark.parametrize("typed", ["/read", "/help-me"])
def test_who_quits_online_has_been_heard(typed: str, stand: Stand) -> None:
    result = stand.chat((stand.told("received", "seen"), f"{typed}\nhello\n/who\n/quit\n"))
    assert len(stand.receipts) == 3
    assert stand.live.house.room("main-stage").head == 1
    assert "-- 1 here: Stew" in result.stdout
    assert not stand.noted("left behind")()


@pytest.mark.parametrize("typed", ["/read A999-XYZ\n", f"/help-me {'x' * (NOTE + 1)}\n"])
def test_what_cannot_be_told_is_said(typed: str, stand: Stand) -> None:
    assert stand.chat((stand.told("received", "seen"), typed)).exit_code == 4
    assert stand.told("received", "seen")()


def test_without_an_alert_there_is_nothing_to_answer(stand: Stand) -> None:
    stand.live.house.alerts = ()
    result = stand.chat((lambda: True, "/read\n/help-me please\n"))
    assert (result.exit_code, result.stderr.count("there is no alert in force")) == (4, 2)


def test_what_nobody_can_have_seen_is_received_only(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    result = stand.chat((stand.told("received"), "hello\n"), options=("--json",))
    assert stand.told("received")()
    (event,) = [each for each in map(json.loads, result.stdout.splitlines()) if each["event"] == "Alert"]
    assert (event["id"], event["status"]) == (NAME, "exercise")
    assert event["info"]["en"] == ["Leave by the north gate", "Walk, do not run."]


def test_a_reminder_is_shown_until_it_was_read_and_answered_in_either_case(stand: Stand) -> None:
    first = ("received", "seen")
    result = stand.chat(
        (lambda: stand.told(*first)() and stand.say(made(status="exercise"))(), "\n"),
        (stand.told(*first, *first), "/read\n"),
        (lambda: stand.told(*first, *first, "acknowledged")() and stand.say(made(status="exercise"))(), "\n"),
        (stand.told(*first, *first, *["acknowledged"] * 2), "\n"),
    )
    assert stand.told(*first, *first, *["acknowledged"] * 2)(), stand.receipts
    assert result.stdout.count("DRILL ALERT") == 2
    assert result.stdout.count("(still in force)") == 1


def test_its_end_is_shown(stand: Stand) -> None:
    result = stand.chat(
        (lambda: stand.told("received", "seen")() and stand.say(made(2, Kind.ALL_CLEAR, status="exercise"))(), "\n"),
        (lambda: len(stand.receipts) == 4, "/read\n"),
    )
    assert f"!! DRILL ALL CLEAR {NAME}\n" in result.stdout
    assert f"!! {NAME} is over: all clear\n" in result.stdout
    assert "there is no alert in force" in result.stderr


def test_a_private_note_is_shown(stand: Stand) -> None:
    note = orders.NoteFrame(1_790_000_000.0, "please come to the gate")
    result = stand.chat((stand.say(note), "/who\n"))
    assert "** to you alone: please come to the gate" in result.stdout


def test_in_a_stream_of_documents_commands_answer_with_documents(stand: Stand) -> None:
    """`/who`, `/history` and `/help` printed plain lines in between."""
    stand.live.call(stand.live.house.room("main-stage").say, "Bo", "good evening")
    result = stand.chat((lambda: True, "/who\n/history 5\n/help\n"), options=("--json",))
    told = [json.loads(each) for each in result.stdout.splitlines()]
    (people,) = [each for each in told if each["event"] == "MembersPage"]
    assert [card["nickname"] for card in people["members"]] == ["Stew"]
    (page,) = [each for each in told if each["event"] == "HistoryPage"]
    assert [(item["event"], item["text"]) for item in page["items"]] == [("Message", "good evening")]
    assert "/react SEQ EMOJI" in result.stderr


@pytest.mark.parametrize(("retry_after_ms", "told"), [(None, "banned it is\n"), (600_000, "; try again in 10m\n")])
@pytest.mark.parametrize("where", [Auth, Join])
def test_who_is_banned_is_refused_for_a_time_or_for_good(
    where: Any, retry_after_ms: int | None, told: str, stand: Stand
) -> None:
    """With a time it was exit 3, as if there were no server."""
    stand.live.house.refuse = lambda frame: no(frame, "banned", retry_after_ms) if isinstance(frame, where) else None
    result = stand.chat()
    assert (result.exit_code, result.stderr.endswith(told)) == (4, True), result.stderr


def hostile(**more: Any) -> Alert:
    frame = made(headline="x", text="y")
    words = server.AlertWords(HOSTILE, HOSTILE)
    return evolve(alert_of(evolve(frame, info={"en": words, HOSTILE: words})), **more)


@pytest.mark.parametrize("event", [hostile(), hostile(id=HOSTILE, severity=HOSTILE), AlertOver(HOSTILE, 1, HOSTILE)])
def test_nothing_of_an_alert_moves_the_terminal(event: Alert | AlertOver) -> None:
    shown = alert_lines(event)
    assert OBEYED.search(shown) is None
    assert all(each.startswith("!! ") for each in shown.split("\n")[1:])


def test_nor_of_a_note() -> None:
    said = line(PrivateNote(0.0, HOSTILE))
    assert said is not None
    assert OBEYED.search(said) is None
    assert "\n" not in said
