"""Rooms and members made from a terminal, alerts read from files, the timeline carried out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.fake_admin import FakeAdmin
from tests.cli.terminal import rows, run

EVENTS = [
    {"n": 1, "at": 10.0, "kind": "act", "text": "ana: room.freeze", "operator": "ana", "room": "main-stage"},
    {"n": 2, "at": 11.0, "kind": "fault", "text": "\x1b[2Jfell"},
]

STORM = """<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>NWS-1</identifier><sender>weather</sender><sent>2026-09-21T14:00:00-00:00</sent>
  <status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
  <info>
    <category>Met</category><event>Sturm über dem Hügel</event><responseType>Shelter</responseType>
    <urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>
    <expires>{expires}</expires><area><areaDesc>Everywhere</areaDesc></area>
  </info>
</alert>"""


@pytest.fixture(autouse=True)
def _own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_new_member_s_token_is_printed_once() -> None:
    made = {"member": "m_01K5AAAAAAAAAAAAAAAAAAAAAA", "nickname": "Eve", "token": "tok_of_eve"}
    result = run(FakeAdmin({"member.create": {"affected": 1, "detail": made}}), "admin", "member", "create", "Eve")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1:] == ["member: m_01K5AAAAAAAAAAAAAAAAAAAAAA", "token: tok_of_eve"]


def test_an_address_is_let_in_again_and_a_capacity_taken_away() -> None:
    fake = FakeAdmin()
    for line in ("unban-address 192.0.2.7", "update main-stage --capacity 0"):
        assert run(fake, "admin", *line.split()).exit_code == 0
    assert [(order.name, order.args) for order in fake.orders()] == [
        ("address.unban", {"address": "192.0.2.7"}),
        ("room.update", {"room": "main-stage", "capacity": 0}),
    ]


@pytest.mark.parametrize("line", ["update main-stage", "member update m_01K5AAAAAAAAAAAAAAAAAAAAAA"])
def test_an_update_of_nothing_is_a_slip(line: str) -> None:
    fake = FakeAdmin()
    result = run(fake, "admin", *line.split())
    assert result.exit_code == 2
    assert "has to change something" in result.stderr
    assert fake.orders() == []


@pytest.mark.parametrize("line", ["delete main-stage", "member erase m_01K5AAAAAAAAAAAAAAAAAAAAAA", "ban-address ::1"])
def test_what_is_grave_asks_first(line: str) -> None:
    fake = FakeAdmin()
    assert run(fake, "admin", *line.split()).exit_code == 2
    assert fake.orders() == []


def timeline(frame: Any) -> dict[str, Any]:
    found = [event for event in EVENTS if event["n"] > frame.args.get("after", 0)][:1]
    items = [json.dumps(event) for event in found] if frame.name == "timeline.export" else found
    return {"detail": {"items": items, "more": found[-1:] != EVENTS[-1:], "next": found[0]["n"]}}


def test_the_timeline_is_shown_and_carried_out(tmp_path: Path) -> None:
    fake = FakeAdmin({"timeline.show": timeline, "timeline.export": timeline})
    shown = run(fake, "admin", "timeline", "--since", "2h", "--room", "main-stage").stdout
    assert [line.split(" ", 1)[1] for line in shown.splitlines()] == [
        "act     ana: room.freeze [main-stage]", "fault   \\x1b[2Jfell",
    ]  # fmt: skip
    assert rows(run(fake, "--json", "admin", "timeline")) == EVENTS
    out = tmp_path / "timeline.jsonl"
    result = run(fake, "admin", "timeline", "-o", str(out))
    assert "2 events" in result.stderr
    assert [json.loads(line) for line in out.read_text().splitlines()] == EVENTS


def test_a_timeline_is_shown_to_its_end() -> None:
    """It ended at ten thousand events without a word."""
    most = 11_000

    def page(frame: Any) -> dict[str, Any]:
        begin = frame.args.get("after", 0)
        items = [{"n": n, "at": 0.0, "kind": "act", "text": str(n)} for n in range(begin + 1, begin + 501)]
        return {"detail": {"items": items, "more": begin + 500 < most, "next": begin + 500}}

    found = rows(run(FakeAdmin({"timeline.show": page}), "admin", "timeline", "--json"))
    assert [event["n"] for event in found] == list(range(1, most + 1))


def test_an_alert_in_a_file_is_raised_by_its_word(tmp_path: Path) -> None:
    file = tmp_path / "storm.xml"
    soon = datetime.now(UTC) + timedelta(hours=1)
    file.write_text(STORM.format(expires=soon.isoformat(timespec="seconds")))

    def imported(frame: Any) -> dict[str, Any]:
        return {"affected": 10, "detail": {"confirm": "SEND ALERT"} if frame.dry_run else {"alert": "A001-XYZ"}}

    fake = FakeAdmin({"alert.import": imported})
    refused = run(fake, "admin", "alert", "import", str(file), "--yes")
    assert refused.exit_code == 2
    assert "--yes is not enough" in refused.stderr
    assert fake.orders() == []
    result = run(fake, "admin", "alert", "import", str(file), "--yes", "--confirm", "SEND ALERT", "--reason", "storm")
    assert result.exit_code == 0, result.output
    assert [(order.args, order.confirm) for order in fake.orders()] == [({"xml": file.read_text()}, "SEND ALERT")]


@pytest.mark.parametrize(("content", "said"), [(b"\xff\xfe", "cannot be read"), (b"x" * 16_384, "longer than")])
def test_a_file_that_is_no_message_is_told_before_anything_is_asked(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "storm.xml"
    file.write_bytes(content)
    fake = FakeAdmin()
    result = run(fake, "admin", "alert", "import", str(file))
    assert result.exit_code == 2
    assert said in result.stderr
    assert fake.seen == []
