"""`bandstand admin`: the frames that each command sends, what it asks first, its exit codes, its output."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from actors.admin.commands import TABLE
from bandstand.cli import admin_door, main
from bandstand.cli.admin_export import lines_of
from gateway.protocol import admin
from tests.cli.fake_admin import CUT, PASSWORD, TOKEN, FakeAdmin, fake_admin, no
from tests.cli.terminal import HOSTILE, OBEYED, rows, run

MEMBER = "m_01K5AAAAAAAAAAAAAAAAAAAAAA"
ACTS: list[tuple[str, str, dict[str, Any]]] = [
    ("freeze main-stage", "room.freeze", {"room": "main-stage"}),
    ("thaw main-stage", "room.thaw", {"room": "main-stage"}),
    ("slow main-stage 8", "room.slow", {"room": "main-stage", "seconds": 8.0}),
    ("clear main-stage --yes", "room.clear", {"room": "main-stage"}),
    ("close main-stage --yes", "room.close", {"room": "main-stage"}),
    ("reopen main-stage", "room.reopen", {"room": "main-stage"}),
    ("evacuate main-stage blue-stage --yes", "room.evacuate", {"room": "main-stage", "to": "blue-stage"}),
    ("return main-stage --yes", "room.return", {"room": "main-stage"}),
    ("lockdown 3 --yes", "house.lockdown", {"level": 3}),
    ("calm --yes", "house.calm", {}),
    ("uncalm", "house.uncalm", {}),
    (f"kick {MEMBER} --yes", "member.kick", {"member": MEMBER}),
    (f"ban {MEMBER} --room main-stage --yes", "member.ban", {"member": MEMBER, "room": "main-stage"}),
    (f"unban {MEMBER}", "member.unban", {"member": MEMBER}),
    (f"mute {MEMBER}", "member.mute", {"member": MEMBER}),
    (f"unmute {MEMBER}", "member.unmute", {"member": MEMBER}),
    ("announce hello --room main-stage --yes", "house.announce", {"text": "hello", "rooms": ["main-stage"]}),
    ("announce hello --yes", "house.announce", {"text": "hello"}),
    ("hide main-stage 7", "message.hide", {"room": "main-stage", "seq": 7}),
    ("restore main-stage 7", "message.restore", {"room": "main-stage", "seq": 7}),
    ("pin main-stage 7", "message.pin", {"room": "main-stage", "seq": 7}),
    ("unpin main-stage", "message.unpin", {"room": "main-stage"}),
    (
        "create main-stage --title Main --code blue-stage-42 --zone north --capacity 900 --official",
        "room.create",
        {
            "room": "main-stage",
            "title": "Main",
            "code": "blue-stage-42",
            "zone": "north",
            "capacity": 900,
            "official": True,
        },
    ),
    ("create main-stage", "room.create", {"room": "main-stage"}),
    ("update main-stage --unofficial", "room.update", {"room": "main-stage", "official": False}),
    ("delete main-stage --yes", "room.delete", {"room": "main-stage"}),
    ("member create Eve --badge steward", "member.create", {"nickname": "Eve", "badge": "steward"}),
    (f"member update {MEMBER} --role staff", "member.update", {"member": MEMBER, "role": "staff"}),
    (f"member message {MEMBER} hello", "member.message", {"member": MEMBER, "text": "hello"}),
    (f"member revoke {MEMBER} --yes", "member.revoke", {"member": MEMBER}),
    (f"member erase {MEMBER} --yes", "member.erase", {"member": MEMBER}),
    ("ban-address 192.0.2.7 --yes", "address.ban", {"address": "192.0.2.7"}),
    (f"ban-address {MEMBER} --yes", "address.ban", {"member": MEMBER}),
    ("refuse p_1", "act.refuse", {"pending": "p_1"}),
    ("resolve r_1 --dismiss", "report.resolve", {"report": "r_1", "outcome": "dismissed"}),
    (f"alert helped A001-XYZ {MEMBER}", "help.resolve", {"alert": "A001-XYZ", "member": MEMBER}),
    ("undo act_1", "act.undo", {"act": "act_1"}),
    ("alert cancel A001-XYZ --text sorry --yes", "alert.cancel", {"alert": "A001-XYZ", "text": "sorry"}),
    ("alert all-clear A001-XYZ --yes", "alert.all_clear", {"alert": "A001-XYZ", "text": ""}),
    ("alert correct A001-XYZ --yes", "alert.correct", {"alert": "A001-XYZ"}),
    (
        "alert update A001-XYZ --headline North --expires 10m --yes",
        "alert.update",
        {"alert": "A001-XYZ", "changes": {"headline": "North", "expires_s": 600.0}},
    ),
]
READS: list[tuple[str, str, dict[str, Any]]] = [
    ("rooms", "room.list", {}),
    ("rooms --zone north", "room.list", {"zone": "north"}),
    ("room main-stage", "room.show", {"room": "main-stage"}),
    ("who", "member.list", {}),
    ("who main-stage", "member.list", {"room": "main-stage"}),
    ("who --find eve", "member.find", {"text": "eve", "limit": 200}),
    (f"who --member {MEMBER}", "member.show", {"member": MEMBER}),
    ("reports", "report.list", {"open": True}),
    ("acts --by ana", "act.list", {"limit": 20, "operator": "ana"}),
    ("house", "house.show", {}),
    ("export main-stage", "room.export", {"room": "main-stage", "format": "jsonl", "after": 0}),
    ("alert list", "alert.list", {}),
    ("alert show A001-XYZ", "alert.show", {"alert": "A001-XYZ"}),
    ("alert names A001-XYZ", "alert.ledger", {"alert": "A001-XYZ", "state": "unanswered", "page": 1}),
    ("alert xml A001-XYZ", "alert.export", {"alert": "A001-XYZ"}),
]


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.mark.parametrize(("line", "name", "args"), ACTS, ids=[act[0] for act in ACTS])
def test_an_act_is_given_once_as_it_was_meant(line: str, name: str, args: dict[str, Any]) -> None:
    fake = FakeAdmin({name: {"affected": 12}})
    result = run(fake, "admin", *line.split(), "--reason", "a fight")
    assert result.exit_code == 0, result.output
    assert [(each.name, each.args, each.reason) for each in fake.orders()] == [(name, args, "a fight")]
    assert result.stdout.startswith(f"done: {name}")
    assert "12 people notice it" in result.stdout


@pytest.mark.parametrize(("line", "name", "args"), READS, ids=[read[0] for read in READS])
def test_a_question_is_asked_and_changes_nothing(line: str, name: str, args: dict[str, Any]) -> None:
    fake = FakeAdmin({name: {"detail": {"items": [], "more": False}}})
    result = run(fake, "admin", *line.split())
    assert result.exit_code == 0, result.output
    assert [each.args for each in fake.commands(name)] == [args]
    assert fake.orders() == []


def test_the_lists_here_name_real_commands() -> None:
    assert {name for _, name, _ in ACTS + READS} <= TABLE.keys()


def test_a_time_goes_along() -> None:
    fake = FakeAdmin()
    assert run(fake, "admin", "freeze", "main-stage", "--for", "10m").exit_code == 0
    assert fake.orders()[0].ttl_s == 600.0


def test_a_dry_run_says_what_would_change_and_changes_nothing() -> None:
    change = {"what": ["room:main-stage", "frozen"], "before": False, "after": True}
    fake = FakeAdmin({"room.freeze": {"affected": 3, "undo_until": 0.0, "detail": {"changes": [change]}}})
    result = run(fake, "admin", "freeze", "main-stage", "--dry-run")
    assert fake.orders() == []
    assert result.stdout.splitlines() == [
        "would: room.freeze main-stage: 3 people notice it; can be undone",
        "  room:main-stage frozen: False -> True",
    ]
    shaped = rows(run(fake, "admin", "freeze", "main-stage", "--dry-run", "--json"))
    assert shaped[0]["dry_run"] is True
    assert shaped[0]["affected"] == 3


def test_json_is_one_document_with_all_of_the_outcome() -> None:
    fake = FakeAdmin({"room.freeze": {"affected": 1, "undo_until": 9.0}})
    assert rows(run(fake, "--json", "admin", "freeze", "main-stage")) == [
        {
            "command": "room.freeze", "args": {"room": "main-stage"}, "act": "act_1", "rev": 7, "affected": 1,
            "undo": "exact", "undo_until": 9.0, "dry_run": False, "detail": {},
        }
    ]  # fmt: skip


# Asking first


def test_what_is_dangerous_is_not_done_where_nobody_can_be_asked() -> None:
    fake = FakeAdmin()
    result = run(fake, "admin", "clear", "main-stage")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert fake.orders() == []


@pytest.mark.parametrize(("typed", "code", "given"), [("y\n", 0, 1), ("n\n", 1, 0), ("\n", 1, 0)])
def test_a_person_is_shown_and_asked(monkeypatch: pytest.MonkeyPatch, typed: str, code: int, given: int) -> None:
    fake = FakeAdmin({"room.clear": {"affected": 1204}})
    result = asked(monkeypatch, fake, "admin", "clear", "main-stage", typed=typed)
    assert (result.exit_code, len(fake.orders())) == (code, given)
    assert "1,204 people notice it" in result.stderr


@pytest.mark.parametrize(("typed", "code", "given"), [("main-stage\n", 0, 1), ("main stage\n", 1, 0), ("y\n", 1, 0)])
def test_a_word_has_to_be_typed_as_it_is(monkeypatch: pytest.MonkeyPatch, typed: str, code: int, given: int) -> None:
    fake = FakeAdmin({"room.evacuate": {"affected": 9, "detail": {"confirm": "main-stage"}}})
    result = asked(monkeypatch, fake, "admin", "evacuate", "main-stage", "blue-stage", typed=typed)
    assert (result.exit_code, len(fake.orders())) == (code, given)
    if given:
        assert fake.orders()[0].confirm == "main-stage"


def asked(monkeypatch: pytest.MonkeyPatch, fake: FakeAdmin, *words: str, typed: str) -> Any:
    """At a terminal."""
    monkeypatch.setattr(admin_door.Door, "asks", lambda self: True)
    return run(fake, *words, typed=typed)


def test_a_second_person_is_told_how() -> None:
    fake = FakeAdmin({"house.lockdown": [{"detail": {}}, {"pending": "p_9", "expires": 60.0, "detail": {}}]})
    result = run(fake, "admin", "lockdown", "2", "--yes")
    assert result.exit_code == 1
    assert "--confirm-of p_9" in result.stderr
    fake = FakeAdmin()
    assert run(fake, "admin", "lockdown", "2", "--yes", "--confirm-of", "p_9").exit_code == 0
    assert fake.orders()[0].confirm_of == "p_9"


# Members by name


def test_a_member_may_be_named_when_only_one_has_the_name() -> None:
    found = [{"member": MEMBER, "nickname": "Eve"}, {"member": "m_other", "nickname": "Evelyn"}]
    fake = FakeAdmin({"member.find": {"detail": {"items": found, "more": False}}})
    assert run(fake, "admin", "mute", "eve").exit_code == 0
    assert fake.orders()[0].args == {"member": MEMBER}


@pytest.mark.parametrize("count", [0, 2])
def test_nobody_is_put_out_by_a_name_that_is_not_one_persons(count: int) -> None:
    found = [{"member": f"m_{at}", "nickname": "Eve"} for at in range(count)]
    fake = FakeAdmin({"member.find": {"detail": {"items": found, "more": False}}})
    assert run(fake, "admin", "kick", "Eve", "--yes").exit_code == 2
    assert fake.orders() == []


# Exit codes and credentials


def test_a_refusal_is_exit_4_with_its_code_and_words() -> None:
    result = run(FakeAdmin({"room.freeze": no("not_found", f"no room {HOSTILE}")}), "admin", "freeze", "main-stage")
    assert result.exit_code == 4
    assert result.stderr.startswith("error: not_found: no room Eve\\x1b[2J")
    assert OBEYED.search(result.stderr.rstrip("\n")) is None


def test_nobody_there_is_exit_3_and_a_bad_address_is_exit_2() -> None:
    runner = CliRunner(env={"BANDSTAND_TOKEN": TOKEN})
    assert runner.invoke(main, ["admin", "rooms", "--url", "http://127.0.0.1:1"]).exit_code == 3
    assert runner.invoke(main, ["admin", "rooms", "--url", "ftp://x"]).exit_code == 2
    assert runner.invoke(main, ["admin", "rooms", "--url", "http://ana:secret@h"]).exit_code == 2


def test_a_wrong_token_is_exit_4_and_none_at_all_exit_2() -> None:
    assert run(FakeAdmin(), "admin", "rooms", token="tok_wrong").exit_code == 4
    assert run(FakeAdmin(), "admin", "rooms", token=None).exit_code == 2


def test_a_token_file_is_read_when_nobody_else_can(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o644)
    result = run(FakeAdmin(), "admin", "house", "--token", str(file), token=None)
    assert (result.exit_code, "chmod 600" in result.stderr) == (2, True)
    file.chmod(0o600)
    assert run(FakeAdmin(), "admin", "house", "--token", str(file), token=None).exit_code == 0


def test_signing_in_is_remembered_and_the_password_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(admin_door.Door, "asks", lambda self: True)
    fake = FakeAdmin()
    runner = CliRunner(env={"BANDSTAND_TOKEN": None})
    with fake_admin(fake) as url:
        signed = runner.invoke(main, ["admin", "sign-in", "--url", url], input=f"bo\n{PASSWORD}\n")
        assert signed.exit_code == 0, signed.output
        assert PASSWORD not in signed.output
        assert runner.invoke(main, ["admin", "house", "--url", url]).exit_code == 0
        assert runner.invoke(main, ["admin", "sign-out", "--url", url]).exit_code == 0
        monkeypatch.setattr(admin_door.Door, "asks", lambda self: False)
        assert runner.invoke(main, ["admin", "house", "--url", url]).exit_code == 2
    signs = [(each.operator, each.token) for each in fake.seen if isinstance(each, admin.Auth)]
    assert signs == [("bo", None), (None, "tok_session"), (None, "tok_session")]
    assert len(fake.commands("session.leave")) == 1, "the session is ended at the server too"
    kept = tmp_path / "state" / "bandstand" / "operators.json"
    assert kept.stat().st_mode & 0o077 == 0


def test_a_remembered_sign_in_that_is_over_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_door.Door, "asks", lambda self: True)
    fake = FakeAdmin(refuse_sessions=True)
    with fake_admin(fake) as url:
        door = admin_door.Door(admin_door.Cli(), url)
        admin_door.remembered().keep(door.key, "operator", "tok_old")
        words = ["admin", "house", "--url", url]
        result = CliRunner(env={"BANDSTAND_TOKEN": None}).invoke(main, words, input=f"bo\n{PASSWORD}\n")
    assert result.exit_code == 0, result.output


def test_an_act_cut_off_is_given_again_under_its_own_name() -> None:
    fake = FakeAdmin({"room.freeze": [CUT, {}]})
    assert run(fake, "admin", "freeze", "main-stage").exit_code == 0
    assert len({each.cid for each in fake.commands("room.freeze")}) == 1


def test_times_are_read_with_their_day_where_it_is_not_today() -> None:
    at = 1_700_000_000.0
    then = time.strftime("%a %d %H:%M", time.localtime(at))
    house = {"lockdown": 5, "lockdown_since": at, "sanctions": [{"kind": "mute", "until": at}]}
    act = {"act": "act_1", "at": at, "undo_until": at}
    fake = FakeAdmin({"house.show": {"detail": house}, "act.list": {"detail": {"items": [act]}}})
    shown = run(fake, "admin", "house").stdout.splitlines()
    assert shown == [
        "lockdown: 5",
        f"lockdown_since: {then}",
        "sanctions:",
        f"  kind  {'until':{len(then)}}".rstrip(),
        f"  mute  {then}",
    ]
    assert run(fake, "admin", "acts").stdout.splitlines()[1] == f"{then}  act_1  {then}"
    assert rows(run(fake, "admin", "house", "--json"))[0]["lockdown_since"] == at


# What people wrote


@pytest.mark.parametrize("line", ["rooms", "who", "reports", "acts", "room main-stage", "alert list", "alert names A1"])
def test_nothing_that_people_wrote_is_obeyed_by_the_terminal(line: str) -> None:
    row = dict.fromkeys(
        ("room", "title", "zone", "nickname", "why", "text", "reason", "headline", "note", "id"), HOSTILE
    )
    names = ("room.list", "member.list", "report.list", "act.list", "room.show", "alert.list", "alert.ledger")
    answer = {"detail": {"items": [row], "more": False, HOSTILE: [row], "a": {HOSTILE: HOSTILE}, "b": [HOSTILE]}}
    result = run(FakeAdmin(dict.fromkeys(names, answer)), "admin", *line.split())
    assert result.exit_code == 0, result.output
    assert "Eve\\x1b[2J" in result.stdout
    assert OBEYED.search(result.stdout) is None
    assert not any(each.startswith("root:") for each in result.stdout.splitlines())


def test_an_export_has_one_head_and_no_formulas(tmp_path: Path) -> None:
    def page(frame: admin.Command) -> object:
        after = frame.args["after"]
        return {"detail": {"items": [{"seq": after + 1, "text": "=1+1"}], "more": after < 2, "next": after + 1}}

    out = tmp_path / "out.csv"
    result = run(FakeAdmin({"room.export": page}), "admin", "export", "main-stage", "--csv", "-o", str(out))
    assert result.exit_code == 0, result.output
    assert out.read_text() == "seq,text\n1,'=1+1\n2,'=1+1\n3,'=1+1\n"
    assert lines_of([{"a": "é"}, "raw"], "jsonl", "")[0] == json.dumps({"a": "é"}, ensure_ascii=False) + "\nraw\n"


@pytest.mark.parametrize("words", [("sign-out",), ("rooms",)])
def test_what_is_no_address_is_exit_2(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["admin", *words, "--url", "http://a..b/"])
    assert (result.exit_code, "names no host" in result.stderr) == (2, True)


def test_who_is_here_is_told_to_the_end() -> None:
    """It ended at ten thousand without a word."""
    most = 12_000

    def page(frame: admin.Command) -> dict[str, Any]:
        begin = int(frame.args.get("after", "0"))
        items = [{"member": f"m_{n}", "nickname": "Bo"} for n in range(begin, min(begin + 400, most))]
        return {"detail": {"items": items, "more": begin + 400 < most, "next": str(begin + 400)}}

    found = rows(run(FakeAdmin({"member.list": page}), "admin", "who", "--json"))
    assert [row["member"] for row in found] == [f"m_{n}" for n in range(most)]


@pytest.mark.parametrize(("words", "name"), [("who --find o", "member.find")])
def test_a_list_that_has_no_second_page_says_that_there_is_more(words: str, name: str) -> None:
    detail = {"items": [{"member": "m_1", "nickname": "Bo", "id": "A001-XYZ"}], "more": True, "next": "A001-XYZ"}
    fake = FakeAdmin({name: {"detail": detail}})
    result = run(fake, "admin", *words.split())
    assert result.exit_code == 0, result.output
    assert "-- there are more than these" in result.stderr
    assert len(fake.commands(name)) == 1


def test_nobody_is_put_out_by_a_name_that_others_may_have_too() -> None:
    """Of a list that was cut, the one that fitted was taken."""
    detail = {"items": [{"member": MEMBER, "nickname": "Bo"}], "more": True, "next": None}
    fake = FakeAdmin({"member.find": {"detail": detail}})
    result = run(fake, "admin", "kick", "bo", "--yes", "--reason", "a fight")
    assert (result.exit_code, fake.orders()) == (2, [])
    assert "give the id" in result.stderr
