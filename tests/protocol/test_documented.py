"""The tables of docs/protocol.md against the classes: every frame, every field, and which fields are always there."""

import re
from pathlib import Path

import pytest
from attrs import NOTHING, fields

from actors.refusals import Reason
from gateway.protocol import client, server
from gateway.protocol.codes import ERRORS, CloseCode, Verdict, verdict
from gateway.protocol.frames import CLIENT_FRAMES, SERVER_FRAMES

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
OKS = {
    "leave, react, report, alert_receipt, heartbeat": server.Ok,
    "join": server.OkJoin,
    "send, edit, delete": server.OkSend,
    "history": server.OkHistory,
    "members": server.OkMembers,
}
PARTS = {
    "position": client.Since,
    "heartbeat": server.HeartbeatTimes,
    "limits": server.Limits,
    "retention": server.Retention,
    "policy": server.Rules,
    "counts": server.Counts,
    "card": server.Card,
    "words": server.AlertWords,
}


def section(title: str) -> list[list[str]]:
    """The rows of the section's first table, without its head."""
    text = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    table = re.search(r"((?:^\|.*\n)+)", text, re.MULTILINE)
    assert table is not None
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.group(1).splitlines()]
    return rows[2:]


def documented(title: str) -> dict[str, dict[str, bool]]:
    """frame -> field -> is it always there."""
    found: dict[str, dict[str, bool]] = {}
    name = ""
    for first, field, _type, _unit, when in section(title):
        name = first or name
        assert field.strip("`") not in found.setdefault(name, {}), (name, field)
        found[name][field.strip("`")] = when.split(";")[0] == "always"
    return found


def coded(cls: type) -> dict[str, bool]:
    return {each.metadata.get("wire", each.name): each.default is NOTHING for each in fields(cls)}


def title(cls: type) -> str:
    if cls is server.RulesFrame:
        return "`policy` without a seq"
    ok = next((asked for asked, answer in OKS.items() if answer is cls), None)
    return f"`{cls.TAG}`" if ok is None else f"`ok` of {ok}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("heading", "classes"), [("From the client", CLIENT_FRAMES), ("From the server", SERVER_FRAMES)]
)
def test_tables_name_exactly_the_fields_of_the_frames(heading: str, classes: tuple[type, ...]) -> None:
    assert documented(heading) == {title(cls): coded(cls) for cls in classes}


def test_tables_name_exactly_the_fields_of_the_parts() -> None:
    assert {part: set(found) for part, found in documented("Parts").items()} == {
        part: set(coded(cls)) for part, cls in PARTS.items()
    }


def test_errors_are_all_in_the_table_as_they_are_coded() -> None:
    rows = {code.strip("`"): (retry == "yes", scope) for code, retry, scope, _ in section("Errors")}
    assert rows == {str(reason): (how.retry, str(how.scope)) for reason, how in ERRORS.items()}
    assert set(ERRORS) == set(Reason)


def test_close_codes_are_all_in_the_table_under_their_names() -> None:
    listed = dict(re.findall(r"(\d{4}) ([a-z ]+)", " ".join(row[2] for row in section(CLOSES))))
    assert {int(code): name.strip() for code, name in listed.items()} == {int(code): code.text for code in CloseCode}


@pytest.mark.parametrize(
    ("codes", "what"),
    [
        ([1000], Verdict.STAYS_AWAY),
        ([*range(4200, 4300)], Verdict.COMES_BACK_AFTER),
        ([1002, 1003, 1007, 1008, 1009, 1010, *range(4400, 4500)], Verdict.GIVES_UP),
        ([0, 1001, 1004, 1005, 1006, 1011, 1012, 1015, 3000, 4000, 4199, 4300, 4399, 4500, 9999], Verdict.COMES_BACK),
    ],
)
def test_the_range_of_a_close_code_is_the_verdict(codes: list[int], what: Verdict) -> None:
    assert {verdict(code) for code in codes} == {what}


CLOSES = "Close codes: the range is the verdict"
