"""The operators' commands, as processes of their own, against a real `bandstand serve --demo`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.e2e.server import ROOT, Server, serving


class Demo(Server):
    def words(self) -> tuple[str, ...]:
        return (sys.executable, "-m", "bandstand", "serve", "--demo")


class Shell:
    """Runs commands in the server's folder, with its settings."""

    def __init__(self, server: Server) -> None:
        self.folder = server.folder
        named = {f"BANDSTAND_{name.upper().replace('.', '_')}": str(value) for name, value in server.settings.items()}
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "BANDSTAND_PORT": str(server.port), **named}

    async def __call__(self, *words: str) -> tuple[int, str, str]:
        with trio.fail_after(60):
            ended = await trio.run_process(
                [sys.executable, "-m", "bandstand", *words],
                cwd=self.folder, env=self.env, capture_stdout=True, capture_stderr=True, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        return ended.returncode, ended.stdout.decode(), ended.stderr.decode()

    async def rows(self, *words: str) -> list[Any]:
        code, out, err = await self(*words)
        assert code == 0, err
        return [json.loads(line) for line in out.splitlines()]


async def shows(shell: Shell, sign: tuple[str, str], *, frozen: bool) -> None:
    """What operators see of rooms is a sample of the last second."""
    with trio.fail_after(60):
        while True:
            rows = await shell.rows("admin", "rooms", "--json", *sign)
            if bool(next(row for row in rows if row["room"] == "main-stage").get("frozen")) is frozen:
                return


async def test_an_evening_at_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.e2e.server.Server.words", Demo.words)
    async with serving(tmp_path) as server:
        shell = Shell(server)
        token = tmp_path / "token"
        code, secret, err = await shell("token", "create", "terminal", "--role", "owner")
        assert code == 0, err
        token.touch(mode=0o600)
        token.write_text(secret)
        sign = ("--token", str(token))

        with trio.fail_after(60):
            while not (both := await shell.rows("top", "--once", "--json", *sign))[0]["people"]["online"]:
                pass  # the sample of the last second knows none of the bots yet
        _, rooms = both
        assert {row["room"] for row in rooms["rooms"]} >= {"main-stage", "blue-stage"}
        code, shown, err = await shell("top", "--once", *sign)
        assert code == 0, err
        assert "main-stage" in shown

        (frozen,) = await shell.rows("admin", "freeze", "main-stage", "--json", "--reason", "a fight", *sign)
        assert frozen["affected"] > 0
        await shows(shell, sign, frozen=True)
        (undone,) = await shell.rows("admin", "undo", frozen["act"], "--json", *sign)
        assert undone["command"] == "act.undo"
        await shows(shell, sign, frozen=False)

        code, _, err = await shell("admin", "freeze", "no-such-room", *sign)
        assert code == 4, err
        assert (await shell("admin", "clear", "main-stage", *sign))[0] == 2

        drill = ("admin", "alert", "send", "--drill", "--headline", "Leave", "--all", "--yes", "--no-watch", "--json")
        (sent,) = await shell.rows(*drill, *sign)
        alert = sent["detail"]["alert"]
        ledger = (await shell.rows("admin", "alert", "watch", alert, "--for", "3s", "--json", *sign))[-1]["ledger"]
        steps = ("unreachable", "queued", "written", "received", "seen", "acknowledged")
        assert ledger["targeted"] == sum(ledger[step] for step in steps) > 0
        await shell.rows("admin", "alert", "all-clear", alert, "--yes", "--json", *sign)
        assert (await shell.rows("admin", "alert", "watch", alert, "--json", *sign))[-1]["state"] == "cleared"

        told = await shell.rows("tail", "--json", "--no-follow", "--since", "10m", *sign)
        assert [event["n"] for event in told] == sorted(event["n"] for event in told)
        assert {"room", "act", "alert"} <= {event["kind"] for event in told}
        assert any(event.get("act") == frozen["act"] for event in told)
        assert secret.strip() not in "\n".join(server.said)
