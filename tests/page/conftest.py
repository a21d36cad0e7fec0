"""A phone with the page, and a server that can be made to misbehave."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bandstand.pages import assets
from tests.client.fake_server import FakeHouse
from tests.client.live import LiveHouse
from tests.page.profiles import FLAGS, Profiles

PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "locale": "en-GB"}
DESK = {"viewport": {"width": 1280, "height": 900}, "locale": "en-GB"}
PATIENCE_MS = 60_000
"""Nothing takes so long: longer than a page that has failed often waits before it tries again, 30 s."""
CLOCK = """() => {
    let now = Date.now();
    Date.now = () => now;
    window.letPass = ms => { now += ms; };
}"""
SCROLL = """async (log, top) => {
    for (let n = 0; n < 2; n += 1) await new Promise(requestAnimationFrame);
    log.scrollTop = top;
}"""


def wait_until(page: Any, is_so: Callable[[], bool], otherwise: str) -> None:
    """For what the server was told; the browser is listened to meanwhile."""
    give_up = time.monotonic() + PATIENCE_MS / 1000
    while not is_so():
        assert time.monotonic() < give_up, otherwise
        page.wait_for_timeout(30)


def stop_the_clock(page: Any) -> None:
    """Of the page, and of what it loads from now on, so that nothing in it grows old on a machine that is slow: it goes
    on by `letPass(ms)` alone. Timers run on."""
    page.add_init_script(f"({CLOCK})()")
    page.evaluate(CLOCK)


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


@pytest.fixture(scope="session")
def profiles(browser: Any) -> Profiles:
    return Profiles(browser, PHONE)


@pytest.fixture(scope="session")
def desk_profiles(browser: Any) -> Profiles:
    return Profiles(browser, DESK)


class Phone:
    """One browser profile: what it remembers stays over a reload. `complaints`: all that the console said."""

    def __init__(self, profiles: Profiles, live: Any, **media: Any) -> None:
        """`media`: what the phone's owner prefers, as page.emulate_media takes it."""
        self.live, self._profiles, self._media = live, profiles, media
        self._profile = profiles.lend(live.url)
        self.context = self._profile.context
        self.complaints: list[str] = []
        self.page = self.open("")

    def put_away(self) -> None:
        self._profiles.take_back(self._profile)

    def open(self, path: str) -> Any:
        page = self.context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.emulate_media(**self._media)
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
        """In the room, and caught up with it."""
        self.page.locator("#connection-text", has_text="Live").wait_for()
        self.page.locator("#messages:not([aria-busy])").wait_for(state="attached")

    def until(self, is_so: Callable[[], bool]) -> None:
        wait_until(self.page, is_so, "the server was not told")

    def scroll_to(self, top: int) -> None:
        """Of a page that stands still: what is laid out anew in the frame of the screen in which somebody scrolls has
        the last word."""
        self.page.locator("#log").evaluate(SCROLL, top)

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
def phone(profiles: Profiles, live: LiveHouse) -> Iterator[Phone]:
    carried = Phone(profiles, live)
    yield carried
    complaints = [said for said in carried.complaints if "WebSocket connection to" not in said]
    carried.put_away()
    assert complaints == []


@pytest.fixture
def another(profiles: Profiles, live: LiveHouse) -> Iterator[Callable[..., Phone]]:
    made: list[Phone] = []

    def make(**media: Any) -> Phone:
        made.append(Phone(profiles, live, **media))
        return made[-1]

    yield make
    for each in made:
        each.put_away()
