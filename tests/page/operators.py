"""An operator's browser, and a house for it to look at."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.client.live import LiveHouse
from tests.page.conftest import PATIENCE_MS, serve_page, wait_until
from tests.page.fake_admin import ANA, PASSWORD, FakeAdmin, room
from tests.page.hostile import WATCH
from tests.page.profiles import Profiles
from tests.page.test_access import SMALL as TOO_SMALL

# A box to tick is as large as the label around it.
SMALL = TOO_SMALL.replace("e.checkVisibility()", "e.checkVisibility() && !e.closest('label.pick')")

POCKET = {"width": 360, "height": 740}


class Desk:
    """An operator's browser; `page` is signed in after `sign_in`."""

    def __init__(self, profiles: Profiles, live: Any, path: str = "ops") -> None:
        self.live, self.house = live, getattr(live, "house", None)
        self._profiles, self._profile = profiles, profiles.lend(live.url)
        self.page = self._profile.context.new_page()
        self.page.add_init_script(f"({WATCH})()")
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(live.url + path)

    def put_away(self) -> None:
        self._profiles.take_back(self._profile)

    def sign_in(self, password: str = PASSWORD, name: str = "maria") -> None:
        self.page.get_by_role("textbox", name="Operator").fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def open_room(self, title: str) -> Any:
        self.page.locator("#rooms-body").get_by_role("button", name=title).click()
        drawer = self.page.locator("#drawer")
        drawer.get_by_role("button", name="Freeze").or_(drawer.get_by_role("button", name="Thaw")).wait_for()
        return drawer

    def until(self, is_so: Callable[[], bool]) -> None:
        wait_until(self.page, is_so, "the house was not told")

    def push(self) -> None:
        self.live.call(self.house.push)


@pytest.fixture
def live() -> Iterator[LiveHouse]:
    house = FakeAdmin(assets=serve_page)
    house.rooms = {each["room"]: each for each in (room("main-stage", 800), room("camp", 404, zone="west", slow_s=8))}
    house.messages["main-stage"] = [
        {"seq": 7, "ts": 1_790_000_000.0, "member": ANA, "nickname": "Ana", "text": "buy my tent", "hidden": False,
         "deleted": False},
    ]  # fmt: skip
    house.members = [{"member": ANA, "nickname": "Ana"}]
    house.note("sign_in", "maria signed in")
    with LiveHouse(house) as running:  # type: ignore[arg-type]
        yield running


@pytest.fixture
def desks(desk_profiles: Profiles, live: LiveHouse) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(path: str = "ops") -> Desk:
        made.append(Desk(desk_profiles, live, path))
        return made[-1]

    yield make
    said = [line for each in made for line in each.complaints if "WebSocket connection to" not in line]
    violations = [each.page.evaluate("() => window.violations ?? []") for each in made]
    for each in made:
        each.put_away()
    assert (said, [found for found in violations if found]) == ([], [])


@pytest.fixture
def desk(desks: Callable[..., Desk]) -> Desk:
    made = desks()
    made.sign_in()
    made.page.locator("#connection-text", has_text="Live").wait_for()
    return made
