"""What the whole suite shares: tools that may be absent, hypothesis' pace, an environment of its own."""

import gc
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
ONE_AT_A_TIME = {"e2e": "servers", "hazards": "servers", "bench": "servers", "page": "browsers"}
"""Folders whose tests run servers or browsers, and never two of a group at once: two cores carry no more."""
APART = {
    **dict.fromkeys(
        (
            "test_admin", "test_alert_full_disk", "test_alert_life", "test_away", "test_disk", "test_strangers",
            "test_terminal",
        ),
        "patient servers",
    ),
    **dict.fromkeys(("test_ops", "test_ops_controls", "test_ops_second_person", "test_real_server"), "desks"),
}  # fmt: skip
"""Files of those folders in a group of their own: servers that mostly wait go beside those under load, operators'
browsers beside the attendees'."""


def missing_tools() -> dict[str, str]:
    """By marker: what the tests that carry it would need."""
    return {marker: tool for marker, (find, tool) in TOOLS.items() if not find()}


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("BANDSTAND_REQUIRE") == "all" and (missing := missing_tools()):
        raise pytest.UsageError(f"BANDSTAND_REQUIRE=all, and there is no {', no '.join(missing.values())}")
    for name in list(os.environ):
        if name.startswith("BANDSTAND_") and not name.startswith(("BANDSTAND_TEST_", "BANDSTAND_REQUIRE")):
            del os.environ[name]
    # Workers and servers are started by the hundred: where they may not leave their bytecode beside the source they
    # keep it here, or each of them would compile all of it.
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) and "PYTHONPYCACHEPREFIX" not in os.environ:
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(__file__).parents[1] / ".pytest_cache/bytecode")


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if group := ONE_AT_A_TIME.get(item.nodeid.split("/")[1]):
            item.add_marker(pytest.mark.xdist_group(APART.get(item.path.stem, group)))
    missing = missing_tools()
    needy = [item for item in items if any(item.get_closest_marker(marker) for marker in missing)]
    if needy:
        items[:] = [item for item in items if item not in needy]
        config.hook.pytest_deselected(items=needy)


def pytest_collection_finish() -> None:
    """Three thousand collected tests are no garbage: looking through them again and again took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in said_at_the_end(terminalreporter.getreports("passed")):
        terminalreporter.write_line(line)


def said_at_the_end(reports: list[pytest.TestReport]) -> list[str]:
    """The figures that tests saw, and which tests were left out for want of a tool."""
    figures = [
        f"{report.nodeid.split('::')[-1]}: {text}"
        for report in reports
        for kind, text in report.user_properties
        if kind == "figure"
    ]
    return [
        *figures,
        *(f"left out: the {marker} tests, for want of {tool}" for marker, tool in missing_tools().items()),
    ]


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tells a figure that a test saw at the end of the run."""
    return lambda text: record_property("figure", text)


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
