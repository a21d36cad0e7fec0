"""What the outside asks of a running server: is it there, is it ready, what are its figures."""

import re
from pathlib import Path

import pytest
import trio

from tests.e2e.crowd import ROOM
from tests.e2e.server import ROOT, serving
from tests.e2e.talker import talking

OPERATIONS = ROOT / "docs" / "operations.md"


def named(page: str) -> set[str]:
    return {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE ")}


async def test_figures_count_what_happened(tmp_path: Path) -> None:
    with trio.fail_after(60):
        async with serving(tmp_path) as server:
            assert await server.get("/healthz") == (200, "ok\n")
            assert await server.get("/readyz") == (200, '{"ready":true,"failing":{}}')
            async with talking(server.port, "Ana") as ana, talking(server.port, "Bo") as bo:
                for each in (ana, bo):
                    await each.good("join", room=ROOM, since=None)
                for n in range(7):
                    await ana.good("send", room=ROOM, text="hi", cid=f"{n}")
                await ana.good("send", room=ROOM, text="hi", cid="0")
                await bo.until(lambda: len(bo.entries(ROOM)) == 7)
                assert await server.figure("messages_accepted_total") == 7
                assert await server.figure("messages_rejected_total") == 1
                assert await server.figure("messages_received_total") == 8
                assert await server.figure("connections") == 2
                assert await server.figure("resumes_total") == 2
                assert await server.figure("journal_rows_total") == 7
                assert await server.figure("connection_faults_total") == 0
            while await server.figure("connections"):  # noqa: ASYNC110
                await trio.sleep(0.02)
            assert await server.figure("connections_closed_total") == 2


async def test_figures_are_those_that_the_manual_explains(tmp_path: Path) -> None:
    if not OPERATIONS.exists():
        pytest.skip("2026-11-22: docs/operations.md is not there yet")
    with trio.fail_after(60):
        async with serving(tmp_path) as server:
            _, page = await server.get("/metrics")
    explained = set(re.findall(r"bandstand_[a-z_]+", OPERATIONS.read_text(encoding="utf-8")))
    shown = {re.sub("_total$", "", name) for name in named(page) if name.startswith("bandstand_")}
    missing = {name for name in shown if name not in explained and f"{name}_total" not in explained}
    assert not missing, f"in /metrics and not in docs/operations.md: {sorted(missing)}"
