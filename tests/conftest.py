"""What the whole suite shares: tools that may be absent, hypothesis' pace, an environment of its own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

# A slow moment of a shared machine is no failure of a property.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


def find_chromium() -> str | None:
    return shutil.which("chromium") or ("/usr/bin/chromium" if Path("/usr/bin/chromium").exists() else None)


def find_node() -> str | None:
    return shutil.which("node") if shutil.which("npm") else None


TOOLS: dict[str, tuple[Callable[[], str | None], str]] = {
    "browser": (find_chromium, "chromium (apt-get install chromium)"),
    "node": (find_node, "node and npm (apt-get install nodejs npm)"),
}
LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = []
    for name in list(os.environ):
        if name.startswith("BANDSTAND_") and not name.startswith(("BANDSTAND_TEST_", "BANDSTAND_REQUIRE")):
            del os.environ[name]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker, (find, tool) in TOOLS.items():
        needy = [item for item in items if item.get_closest_marker(marker)]
        if not needy or find():
            continue
        if os.environ.get("BANDSTAND_REQUIRE") == "all":
            raise pytest.UsageError(f"BANDSTAND_REQUIRE=all, and {len(needy)} tests need {tool}")
        items[:] = [item for item in items if item not in needy]
        config.hook.pytest_deselected(items=needy)
        config.stash[LEFT_OUT].append(f"left out: {len(needy)} {marker} tests, for want of {tool}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash[LEFT_OUT]:
        terminalreporter.write_line(line)


@pytest.fixture
def chromium() -> str:
    """The browser's path, for tests marked `browser`."""
    found = find_chromium()
    assert found is not None, "mark the test with @pytest.mark.browser"
    return found


@pytest.fixture
def node() -> str:
    """Node's path, for tests marked `node`."""
    found = find_node()
    assert found is not None, "mark the test with @pytest.mark.node"
    return found
