"""Figures that a test saw are told at the end of the run."""

from collections.abc import Callable

import pytest

SEEN: list[str] = []


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    def tell(text: str) -> None:
        SEEN.append(f"{request.node.name}: {text}")

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SEEN:
        terminalreporter.write_line(line)
