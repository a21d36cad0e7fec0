"""What the project's own files promise: the lock, the README's two commands, no trace of the machine that made them."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests import conftest

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.lock", "requirements-test.lock")
PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==([^ ;\\]+)", re.MULTILINE)
# Spelled in pieces, so that this file is not its own finding.
HOSTS = re.compile(r"py" r"pi\.org|python" r"hosted\.org|registry\.npm" r"js\.org|registry\.yarn" r"pkg\.com")
HOMES = re.compile(r"(?<![\w.)}-])/(?:home|Users|root|work)/[\w.]")


def pins(lock: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / lock).read_text()))


def addresses_in(text: str) -> list[str]:
    return re.findall(r"\S*(?:://|--index|--extra-index|--find-links|--trusted-host| @ )\S*", text)


def unhashed_in(text: str) -> list[str]:
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text.strip())
    return [block.split()[0] for block in blocks if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_versions_and_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert len(pins(lock)) >= 15
    assert unhashed_in(text) == []
    assert addresses_in(text) == []
    assert str(ROOT) not in text


def test_a_lock_with_an_address_or_without_a_hash_is_found() -> None:
    hashed = "trio==0.35.0 \\\n    --hash=sha256:" + "a" * 64 + "\n"
    assert unhashed_in(hashed + "attrs==1.0\n") == ["attrs==1.0"]
    for line in ("--index-url https://x.example/simple", "--find-links /wheels", "trio @ file:///x", "# via https://x"):
        assert addresses_in(hashed + line)


def test_the_test_lock_holds_the_runtime_lock() -> None:
    assert pins("requirements.lock").items() <= pins("requirements-test.lock").items()


def test_the_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[>=<\[;! ]", line)[0] for line in project["dependencies"]]
    assert set(names) <= set(pins("requirements.lock"))
    tools = [re.split(r"[>=<\[;! ]", line)[0] for line in project["optional-dependencies"]["test"]]
    assert set(tools) <= set(pins("requirements-test.lock"))
    assert not set(tools) & set(pins("requirements.lock")), "serve must not need what only the tests need"


def test_the_readme_has_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "python3 run.py serve --demo" in text
    assert "python3 run.py test" in text


def test_ci_runs_the_readmes_test_command_with_nothing_left_out() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    assert "BANDSTAND_REQUIRE=all python3 run.py test" in script.read_text().splitlines()[-1]
    subprocess.run(["bash", "-n", script], check=True)


def test_run_py_needs_the_standard_library_only_and_explains_itself() -> None:
    done = subprocess.run([sys.executable, "-S", "-I", ROOT / "run.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "run.py serve --demo" in done.stdout


def own_files() -> list[Path]:
    """What is or will be committed: git says so; in an unpacked archive everything that is not made by running."""
    if (ROOT / ".git").exists():
        words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(words, capture_output=True, check=True).stdout.decode().split("\0")
        return [ROOT / name for name in listed if name and (ROOT / name).is_file()]
    made = {"__pycache__", "node_modules", "build", "dist"}
    return [
        file
        for file in ROOT.rglob("*")
        if file.is_file()
        and not any(part in made or (part.startswith(".") and part != ".ci") or part.endswith(".egg-info")
                    for part in file.relative_to(ROOT).parts)
    ]  # fmt: skip


def traces_in(text: str) -> list[str]:
    here = [str(ROOT)] if str(ROOT) in text else []
    return here + HOSTS.findall(text) + HOMES.findall(text)


def test_no_file_names_this_machine_or_a_package_index() -> None:
    found = {}
    for file in own_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if traces := traces_in(text):
            found[file.relative_to(ROOT).as_posix()] = traces
    assert found == {}


def test_a_trace_is_found_and_an_address_of_the_wire_is_not() -> None:
    for text in (f"cd {ROOT}", "open('/" + "home/ana/x')", "https://py" + "pi.org/simple", "/" + "root/.config"):
        assert traces_in(text), text
    for text in ("GET /room/main", "http://example.org/home/x", "docs/work/x", "/usr/bin/chromium"):
        assert not traces_in(text), text


NO_CHROMIUM = (lambda: None, "chromium")


class Marked:
    """An item with one marker, as far as the hook looks."""

    nodeid = "tests/test_it.py::test_it"

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def get_closest_marker(self, name: str) -> str | None:
        return self.marker if name == self.marker else None


class Config:
    """A pytest.Config, as far as the hooks look."""

    def __init__(self) -> None:
        self.deselected: list[object] = []
        self.hook = self

    def pytest_deselected(self, items: list[object]) -> None:
        self.deselected += items


def test_tests_without_their_tool_are_left_out_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conftest.TOOLS, "browser", NO_CHROMIUM)
    monkeypatch.setitem(conftest.TOOLS, "node", (lambda: "/usr/bin/node", "node"))
    items, config = [Marked(marker) for marker in ("browser", "node", "plain", "browser")], Config()
    conftest.pytest_collection_modifyitems(config, items)  # type: ignore[arg-type]
    assert [item.marker for item in items] == ["node", "plain"]
    assert len(config.deselected) == 2
    assert conftest.said_at_the_end([]) == ["left out: the browser tests, for want of chromium"]


def test_a_missing_tool_is_a_failure_where_all_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(conftest.TOOLS, "browser", NO_CHROMIUM)
    monkeypatch.setenv("BANDSTAND_REQUIRE", "all")
    with pytest.raises(pytest.UsageError, match="no chromium"):
        conftest.pytest_configure(Config())  # type: ignore[arg-type]
    monkeypatch.setenv("BANDSTAND_REQUIRE", "")
    conftest.pytest_configure(Config())  # type: ignore[arg-type]


def test_tests_of_real_servers_come_one_at_a_time() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir()}
    assert set(conftest.ONE_AT_A_TIME) <= folders
