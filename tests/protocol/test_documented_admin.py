"""The admin section of docs/protocol.md against the classes and the table of commands."""

import re
from pathlib import Path
from typing import get_args

from attrs import NOTHING, fields

from actors.admin.commands import TABLE
from actors.admin.orders import EXTRA_CODES
from actors.admin.parsing import describe
from gateway.protocol import admin

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
OKS = {admin.Ok: "of watch, unwatch, heartbeat", admin.OkCommand: "of a command", admin.OkPending: "that waits"}


def rows(title: str) -> list[list[str]]:
    text = PAGE.split(f"\n### {title}\n")[1].split("\n### ")[0]
    table = re.search(r"((?:^\|.*\n)+)", text, re.MULTILINE)
    assert table is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.group(1).splitlines()][2:]


def documented(title: str) -> dict[str, dict[str, bool]]:
    found: dict[str, dict[str, bool]] = {}
    name = ""
    for first, field, _type, when in rows(title):
        name = first or name
        found.setdefault(name, {})[field.strip("`")] = when.split(";")[0] == "always"
    return found


def coded(classes: tuple[type, ...]) -> dict[str, dict[str, bool]]:
    return {
        f"`{cls.TAG}` {OKS.get(cls, '')}".strip(): {  # type: ignore[attr-defined]
            each.name: each.default is NOTHING for each in fields(cls) if each.name != "body"
        }
        for cls in classes
    }


def test_frames_are_documented_as_they_are_coded() -> None:
    assert documented("What an operator says") == coded(get_args(admin.AdminClientFrame))
    assert documented("What the server says to an operator") == coded(get_args(admin.AdminServerFrame))


def test_commands_are_documented_as_the_table_has_them() -> None:
    listed = {row[0].strip("`"): row for row in rows("Commands")}
    assert listed.keys() == TABLE.keys()
    for name, spec in TABLE.items():
        _, role, args, marks, summary = listed[name]
        assert (role, summary) == (spec.role.word, spec.summary)
        kinds = {arg.split(" ", 1)[0] for arg in args.split(", ") if arg}
        assert kinds == {each + ("?" if kind.endswith("?") else "") for each, kind in describe(spec.args).items()}
        said = marks.split(", ")
        assert ("reads" in said) == spec.reads
        assert spec.reads or f"undo {spec.undo.value}" in said
        assert ("timed" in said, "confirm" in said) == (spec.timed, spec.confirm is not None)
        assert ("second" in said) == (spec.second is not None or bool(spec.as_grave_as))


def test_the_card_of_a_command_is_documented() -> None:
    (card,) = re.findall(r"^A card has (.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert [each.name for each in fields(admin.CommandCard) if not re.search(rf"\b{each.name}\b", card)] == []


def test_codes_are_documented() -> None:
    assert all(f"`{code}`" in PAGE for code in EXTRA_CODES)
