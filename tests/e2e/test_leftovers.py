"""Whoever tries the server in a clone finds the clone as it was."""

import shutil
import subprocess
from pathlib import Path

import trio

from tests.e2e.server import ROOT, serving


def git(folder: Path, *words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


async def test_what_a_server_leaves_behind_is_ignored_by_git(tmp_path: Path) -> None:
    """`git add .` after a first try would have committed 20 MiB of ballast and the heads of somebody's audit."""
    with trio.fail_after(60):
        async with serving(tmp_path) as server:
            while not await trio.Path(tmp_path / "journal.db.ballast").exists():  # noqa: ASYNC110
                await trio.sleep(0.02)
            await server.stop()
    await trio.to_thread.run_sync(look_at, tmp_path)


def look_at(folder: Path) -> None:
    left = {path.name for path in folder.iterdir()}
    assert {"admin.heads", "alerts.db.ballast", "journal.db.ballast", "journal.db.marks"} <= left

    shutil.copy(ROOT / ".gitignore", folder)
    git(folder, "init", "--quiet")
    assert git(folder, "status", "--porcelain", "--untracked-files=all") == ["?? .gitignore"]
