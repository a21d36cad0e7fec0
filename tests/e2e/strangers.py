"""Clients that share no line with us but the protocol: Python's `websockets`, Node's `ws`, a browser. Each does the
same: joins, posts, is cut, comes back with its position, and ends when it has heard a last word."""

import json
import random
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import PIPE, run
from typing import Any

import trio
from playwright.sync_api import sync_playwright
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

Json = dict[str, Any]
Report = Callable[[Json], None]
"""Called on the loop with what the client sees as it goes: joined, heard, stored, lost."""
Stranger = Callable[[Json, Report], Awaitable[Json]]
"""Given url, room, nickname, texts and until; returns what it heard and what was stored."""
NODE = Path(__file__).parent / "node"
PROTOCOLS = [Subprotocol("bandstand.v1")]


# -- Python ------------------------------------------------------------------------------------------------------------


class Sync:
    """One thread, blocking calls, one request at a time."""

    def __init__(self, wish: Json, report: Report) -> None:
        self.wish = wish
        self.report = report
        self.token: str | None = None
        self.epoch: str | None = None
        self.seq = 0
        self.heard: list[Json] = []
        self.stored: list[Json] = []
        self.gaps: list[Json] = []
        self.losses: list[object] = []
        self.outbox = [{"cid": f"{wish['nickname']}-{n}", "text": text} for n, text in enumerate(wish["texts"])]
        self.dead_s = 5.0

    def live(self) -> Json:
        while self.outbox or all(entry["text"] != self.wish["until"] for entry in self.heard):
            try:
                with connect(self.wish["url"], subprotocols=PROTOCOLS, open_timeout=5, close_timeout=1) as ws:
                    self.visit(ws)
            except (OSError, WebSocketException, TimeoutError) as why:
                code = why.rcvd.code if isinstance(why, ConnectionClosed) and why.rcvd else type(why).__name__
                self.losses.append(code)
                self.report({"lost": code})
                time.sleep(random.uniform(0.02, 0.1))
        return {"heard": self.heard, "stored": self.stored, "gaps": self.gaps, "losses": self.losses}

    def visit(self, ws: ClientConnection) -> None:
        hello = self.receive(ws)
        assert hello["type"] == "hello"
        self.dead_s = hello["heartbeat"]["dead_ms"] / 1000
        who = {"nickname": self.wish["nickname"]} | ({"token": self.token} if self.token else {})
        ready = self.ask(ws, type="auth", **who)
        self.token = ready["token"]
        since = None if self.epoch is None else {"epoch": self.epoch, "seq": self.seq}
        room = self.wish["room"]
        self.ask(ws, type="join", room=room, since=since, tail=0, presence=False)
        while self.outbox:
            answer = self.ask(ws, type="send", room=room, **self.outbox[0])
            if answer["type"] == "ok":
                self.stored.append({"cid": self.outbox[0]["cid"], "epoch": answer["epoch"], "seq": answer["seq"]})
                del self.outbox[0]
                self.report({"stored": len(self.stored)})
            else:
                assert answer["retry"], answer
                time.sleep(answer.get("retry_after_ms", 500) / 1000)
        while all(entry["text"] != self.wish["until"] for entry in self.heard):
            self.receive(ws)

    def ask(self, ws: ClientConnection, **frame: object) -> Json:
        ws.send(json.dumps({"id": 1, **frame}))
        while "re" not in (answer := self.receive(ws)):
            pass
        if frame["type"] == "join":
            assert answer["type"] == "ok", answer
        return answer

    def receive(self, ws: ClientConnection) -> Json:
        frame: Json = json.loads(ws.recv(self.dead_s))
        match frame["type"]:
            case "heartbeat":
                ws.send(json.dumps({"type": "heartbeat", "t": frame["t"]}))
            case "gap":
                self.gaps.append(frame)
                self.seq = frame["to"]
            case "ok" if "mode" in frame:
                self.seq = frame["head"] if self.epoch is None else self.seq
                self.epoch = frame["epoch"]
                self.report({"joined": frame["mode"]})
            case "message":
                assert (frame["epoch"], frame["seq"]) == (self.epoch, self.seq + 1), frame
                self.seq += 1
                self.heard.append({"seq": frame["seq"], "cid": frame["cid"], "text": frame["text"]})
                self.report({"heard": frame["seq"]})
        return frame


async def python_websockets(wish: Json, report: Report) -> Json:
    token = trio.lowlevel.current_trio_token()

    def from_thread(seen: Json) -> None:
        token.run_sync_soon(report, seen)

    return await trio.to_thread.run_sync(Sync(wish, from_thread).live, abandon_on_cancel=True)


# -- Node --------------------------------------------------------------------------------------------------------------


def install_ws(folder: Path) -> None:
    """What the lock file says, from whatever registry npm is set up for."""
    for file in NODE.iterdir():
        if file.is_file():
            shutil.copy(file, folder / file.name)
    npm = shutil.which("npm")
    assert npm is not None
    done = run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def node_ws(node: str, folder: Path) -> Stranger:
    async def live(wish: Json, report: Report) -> Json:
        process = await trio.lowlevel.open_process(
            [node, "main.mjs", json.dumps(wish)], cwd=folder, stdout=PIPE, stderr=None
        )
        rest = b""
        try:
            async for data in process.stdout or ():
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    seen = json.loads(line)
                    if "result" in seen:
                        await process.wait()
                        result: Json = seen["result"]
                        return result
                    report(seen)
            raise AssertionError(f"node ended with {await process.wait()}")
        finally:
            if process.returncode is None:
                process.kill()
                with trio.CancelScope(shield=True):
                    await process.wait()

    return live


# -- a browser ---------------------------------------------------------------------------------------------------------


def chromium_page(chromium: str, page_url: str) -> Stranger:
    """The same JavaScript in a page of the server's own origin, over the browser's WebSocket."""
    source = (NODE / "client.mjs").read_text(encoding="utf-8").replace("export async function", "async function")

    async def live(wish: Json, report: Report) -> Json:
        token = trio.lowlevel.current_trio_token()

        def drive() -> Json:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium)
                try:
                    page = browser.new_page(bypass_csp=True)
                    page.goto(page_url)
                    page.expose_function("tell", lambda seen: token.run_sync_soon(report, seen))
                    script = (
                        f"async (wish) => {{ {source}; return live({{ Socket: WebSocket, report: tell, ...wish }}); }}"
                    )
                    result: Json = page.evaluate(script, wish)
                    return result
                finally:
                    browser.close()

        return await trio.to_thread.run_sync(drive, abandon_on_cancel=True)

    return live
