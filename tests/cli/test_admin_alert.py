"""`bandstand admin alert`: the draft that goes out, the word that is asked for, the phone view, the ledger."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bandstand.cli import admin_door
from bandstand.cli.admin_door import Door
from bandstand.cli.admin_ledger import Ledger, bar, calls, counts, picture
from bandstand.cli.admin_phone import phone
from bandstand.cli.context import Cli
from tests.cli.fake_admin import CUT, FakeAdmin
from tests.cli.terminal import HOSTILE, OBEYED, rows, run

WORDS = {"actual": "SEND ALERT", "exercise": "DRILL", "test": "TEST"}
LEDGER = {
    "targeted": 10, "unreachable": 1, "queued": 0, "written": 2, "received": 1, "seen": 2, "acknowledged": 4,
    "help": 1, "joined_after": 3,
}  # fmt: skip


def row(state: str = "active", **more: Any) -> dict[str, Any]:
    about = {"id": "A001-XYZ", "rev": 1, "status": "exercise", "headline": "Leave", "sent": 1.0, "expires": 1801.0}
    return {**about, "ack": "required", "state": state, "ledger": LEDGER, "rooms": {"main-stage": LEDGER}, **more}


def house(status: str = "exercise") -> FakeAdmin:
    def raised(frame: Any) -> dict[str, Any]:
        detail = {"confirm": WORDS[status], "people": 10} if frame.dry_run else {"alert": "A001-XYZ", "rev": 1}
        return {"affected": 10, "detail": detail}

    fake = FakeAdmin({"alert.raise": raised, "alert.preview": {"detail": {"people": 10, "connected": 9}}})
    drill = {"reached": 0.9995, "answered": 0.4, "half_s": None, "most_s": None}
    over = row("cleared", score=0.4, drill=drill, final={**LEDGER, "rev": 1, "ack": "required", "unreachable": 0})
    fake.snapshots["alerts"] = [{"alerts": []}, {"alerts": [row()]}, {"alerts": [row()]}, {"alerts": [over]}]
    return fake


DRILL = ("admin", "alert", "send", "--drill", "--headline", "Leave the north field", "--all")


def test_a_drill_is_shown_confirmed_sent_and_followed_until_it_is_over() -> None:
    fake = house()
    result = run(fake, *DRILL, "--text", "Walk south.", "--reason", "drill", "--yes")
    assert result.exit_code == 0, result.output
    sent = fake.orders()[0]
    assert sent.confirm == "DRILL"
    assert sent.args == {
        "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed",
        "response": "none", "expires_s": 1800.0, "ack": "required", "headline": "Leave the north field",
        "text": "Walk south.", "all": True,
    }  # fmt: skip
    assert "DRILL This is a drill. Nothing has happened." in " ".join(result.stderr.split())
    assert "LEAVE THE NORTH FIELD" in result.stderr
    assert "a drill to 10 people everywhere (9 of them connected now)" in result.stderr
    lines = result.stdout.splitlines()
    assert len([line for line in lines if "in force: targeted 10" in line]) == 1, "the same twice is told once"
    assert "at its end rev 1 had: written 2  received 1  seen 2  acknowledged 4  help 1" in lines[-1]
    assert "score: reached 99 %, answered 40 %" in lines[-1], "all but one in two thousand are not all"


def test_an_actual_alert_is_never_sent_by_yes_alone() -> None:
    fake = house("actual")
    words = ("admin", "alert", "send", "--actual", "--headline", "Leave", "--all", "--no-watch", "--yes")
    result = run(fake, *words)
    assert (result.exit_code, fake.orders()) == (2, [])
    assert '--confirm "SEND ALERT"' in result.stderr
    assert run(house("actual"), *words, "--confirm", "DRILL").exit_code == 2
    fake = house("actual")
    assert run(fake, *words, "--confirm", "SEND ALERT").exit_code == 0
    assert fake.orders()[0].confirm == "SEND ALERT"


@pytest.mark.parametrize(("typed", "code", "given"), [("DRILL\n", 0, 1), ("drill\n", 1, 0), ("\n", 1, 0)])
def test_a_person_types_the_word(monkeypatch: pytest.MonkeyPatch, typed: str, code: int, given: int) -> None:
    monkeypatch.setattr(admin_door.Door, "asks", lambda self: True)
    fake = house()
    assert run(fake, *DRILL, "--no-watch", typed=typed).exit_code == code
    assert len(fake.orders()) == given


@pytest.mark.parametrize("words", [("--headline", "x", "--all"), ("--drill", "--all"), ("--drill", "--headline", "x"),
                                   ("--drill", "--headline", "x", "--all", "--room", "main-stage")])  # fmt: skip
def test_half_an_alert_is_exit_2_and_never_sent(words: tuple[str, ...]) -> None:
    fake = house()
    assert run(fake, "admin", "alert", "send", *words, "--yes").exit_code == 2
    assert fake.orders() == []


def test_a_prepared_draft_is_read_and_the_line_goes_over_it(tmp_path: Path) -> None:
    draft = {
        "status": "exercise",
        "headline": "Storm",
        "text": "Leave the hill.",
        "zones": ["north"],
        "severity": "extreme",
    }
    file = tmp_path / "storm.json"
    file.write_text(json.dumps(draft))
    fake = house()
    words = ("--draft", str(file), "--room", "main-stage", "--also", "de", "Sturm", "Runter.", "--no-watch", "--yes")
    assert run(fake, "admin", "alert", "send", *words).exit_code == 0
    args = fake.orders()[0].args
    assert (args["severity"], args["rooms"], args.get("zones")) == ("extreme", ["main-stage"], None)
    assert args["info"] == {"de": {"headline": "Sturm", "text": "Runter."}}


def test_a_dry_run_shows_it_and_sends_nothing() -> None:
    fake = house()
    result = run(fake, *DRILL, "--dry-run")
    assert result.exit_code == 0
    assert "LEAVE THE NORTH FIELD" in result.stdout
    assert fake.orders() == []


def test_the_ledger_as_json_is_a_document_for_each_change() -> None:
    told = rows(run(house(), "admin", "alert", "watch", "A001-XYZ", "--json"))
    assert [each["state"] for each in told] == ["active", "cleared"]
    assert told[0]["ledger"] == LEDGER


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_lost_line_is_said_and_that_it_is_there_again(options: tuple[str, ...]) -> None:
    """The last figures stood there as if they were the present ones."""
    fake = FakeAdmin()
    fake.snapshots["alerts"] = [{"alerts": [row()]}, CUT, {"alerts": [row("cleared")]}]  # type: ignore[list-item]
    result = run(fake, "admin", "alert", "watch", "A001-XYZ", *options)
    assert result.exit_code == 0, result.output
    assert re.search(r"-- offline: .+; this is how it stood at \d\d:\d\d:\d\d\n-- online again\n", result.stderr)
    assert "offline" not in result.stdout


def test_on_a_terminal_the_picture_says_that_it_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(Cli, "say", lambda self, text: drawn.append(text))
    view = Ledger(Door(Cli(color=True), ""))
    view.show(row())
    view.offline(f"gone{HOSTILE}")
    view.offline("")
    first, old, again = (re.sub(r"^\x1b\[\d+F\x1b\[J", "", each) for each in drawn)
    assert first == again
    assert old.startswith(f"{first}\noffline: gone")
    assert OBEYED.search(old) is None
    assert f"\x1b[{old.count(chr(10)) + 1}F" in drawn[2], "the whole of it is drawn over"


def test_an_alert_that_is_not_there_is_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bandstand.cli.admin_ledger.APPEARS_SECONDS", 0.2)
    assert run(house(), "admin", "alert", "watch", "A009-XYZ").exit_code == 1


def test_watching_ends_when_everybody_has_answered() -> None:
    fake = FakeAdmin()
    all_of_them = {**dict.fromkeys(LEDGER, 0), "targeted": 3, "acknowledged": 3}
    fake.snapshots["alerts"] = [{"alerts": [row()]}, {"alerts": [row(ledger=all_of_them)]}, {"alerts": [row()]}]
    told = rows(run(fake, "admin", "alert", "watch", "A001-XYZ", "--until-answered", "--json"))
    assert [each["ledger"]["acknowledged"] for each in told] == [4, 3]


def test_names_come_from_all_pages() -> None:
    def page(frame: Any) -> dict[str, Any]:
        at = frame.args["page"]
        return {"detail": {"items": [{"member": f"m_{at}", "nickname": "Bo", "note": HOSTILE}], "more": at < 3}}

    result = run(FakeAdmin({"alert.ledger": page}), "admin", "alert", "names", "A001-XYZ", "--state", "help", "--json")
    assert [each["member"] for each in rows(result)] == ["m_1", "m_2", "m_3"]


def test_the_bar_adds_up_and_says_nothing_of_nobody() -> None:
    assert bar(LEDGER, 10) == "[####++=-- ]"
    assert len(bar({"targeted": 7, "acknowledged": 7}, 20)) == 22
    assert bar({}, 5) == "[     ]"
    assert counts(LEDGER) == "unreachable 1  written 2  received 1  seen 2  acknowledged 4"


def test_calls_for_help_that_were_dealt_with_are_counted_beside() -> None:
    assert calls(LEDGER) == "help 1"
    assert calls({"help": 1_200, "helped": 3}) == "help 1,200 (3 dealt with)"


def test_nothing_of_an_alert_is_obeyed_by_the_terminal() -> None:
    said = {"headline": HOSTILE, "text": HOSTILE}
    shown = phone({"status": "actual", "severity": "extreme", "info": {"en": said, HOSTILE: said}, "kind": "update"})
    assert OBEYED.search(shown) is None
    assert OBEYED.search(picture(row(headline=HOSTILE, rooms={HOSTILE: LEDGER}))) is None
