"""A phone with the page, and a server that can be made to misbehave."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bandstand.pages import assets
from tests.client.fake_server import FakeHouse
from tests.client.live import LiveHouse

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PHONE = {"width": 360, "height": 740}


def serve_page(path: str, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
    asset = assets("North Fields").get(path.partition("?")[0])
    if asset is None:
        return 404, [], b"nothing here"
    return 200, [("Content-Type", asset.content_type), *asset.headers.items()], asset.body


@pytest.fixture
def live() -> Iterator[LiveHouse]:
    house = FakeHouse(assets=serve_page)
    house.room("blue-stage", "blue-stage-42")
    with LiveHouse(house) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    from tests.conftest import find_chromium

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield chromium
        chromium.close()


class Phone:
    """One browser profile: what it remembers stays over a reload. `complaints`: all that the console said."""

    def __init__(self, browser: Any, live: Any, **more: Any) -> None:
        self.live = live
        self.context = browser.new_context(viewport=PHONE, device_scale_factor=2, locale="en-GB", **more)
        self.complaints: list[str] = []
        self.page = self.open("")

    def open(self, path: str) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(8_000)
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.live.url + path)
        return page

    def come_in(self, nickname: str = "Ana", room: str = "blue-stage") -> None:
        self.page.get_by_label("Your name").fill(nickname)
        self.page.get_by_label("Room or code").fill(room)
        self.page.get_by_role("button", name="Come in").click()
        self.live_now()

    def live_now(self) -> None:
        self.page.locator("#connection-text", has_text="Live").wait_for(timeout=40_000)

    def say(self, text: str) -> None:
        self.page.get_by_label("Your message").fill(text)
        self.page.get_by_label("Your message").press("Enter")

    def message(self, text: str) -> Any:
        return self.page.locator(".message", has=self.page.locator(".text", has_text=text))

    def go_offline(self) -> None:
        self.live.house.down = True
        self.live.call(self.live.house.cut_all)

    def go_online(self) -> None:
        self.live.house.down = False


@pytest.fixture
def phone(browser: Any, live: LiveHouse) -> Iterator[Phone]:
    carried = Phone(browser, live)
    yield carried
    complaints = [said for said in carried.complaints if "WebSocket connection to" not in said]
    carried.context.close()
    assert complaints == []


@pytest.fixture
def another(browser: Any, live: LiveHouse) -> Iterator[Callable[..., Phone]]:
    made: list[Phone] = []

    def make(**more: Any) -> Phone:
        made.append(Phone(browser, live, **more))
        return made[-1]

    yield make
    for each in made:
        each.context.close()
