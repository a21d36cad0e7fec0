"""The page as the real server serves it, with the headers that really arrive."""

import threading
from pathlib import Path

import pytest
import trio

from bandstand.pages import routes
from gateway.app import App
from gateway.settings import Settings
from tests.cli.running import settings_of
from tests.page.conftest import Phone
from tests.page.profiles import Profiles


class RealHouse:
    """The real server in a thread, with the page."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready = threading.Event()
        self._stop = trio.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._run,), daemon=True)

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with App(self._settings, routes=routes(self._settings.event)).serve() as serving:
            self.url = f"http://127.0.0.1:{serving.addresses[0].port}/"
            self.setup_code = serving.setup
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> "RealHouse":
        self._thread.start()
        assert self._ready.wait(60), "it did not start"
        return self

    def __exit__(self, *error: object) -> None:
        self._token.run_sync_soon(self._stop.set)
        self._thread.join(20)


@pytest.mark.browser
def test_two_phones_talk_through_the_real_server(profiles: Profiles, tmp_path: Path) -> None:
    with RealHouse(settings_of(tmp_path, event="North <Fields>")) as house:
        phones = [Phone(profiles, house) for _ in range(2)]
        ana, bo = phones
        assert ana.page.title() == "North <Fields>"
        ana.come_in("Ana", "main-stage")
        bo.come_in("Bo", "main-stage")
        ana.say("who has a tent? <b>")
        bo.message("who has a tent? <b>").wait_for()
        bo.message("who has a tent?").get_by_role("button", name="Actions").click()
        bo.message("who has a tent?").get_by_role("button", name="Reply").click()
        bo.say("I do")
        ana.message("I do").locator(".quote", has_text="who has a tent?").wait_for()
        bo.message("who has a tent?").get_by_role("button", name="Actions").click()
        bo.message("who has a tent?").get_by_role("button", name="React with 🎉").click()
        ana.message("who has a tent?").get_by_role("button", name="🎉 1").wait_for()
        bo.message("I do").get_by_role("button", name="Actions").click()
        bo.message("I do").get_by_role("button", name="Delete").click()
        bo.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        ana.message("This message was removed").wait_for()
        ana.page.get_by_role("button", name="2 people here").click()
        ana.page.get_by_role("dialog").get_by_text("Bo").wait_for()
        ana.page.reload()
        ana.message("who has a tent?").get_by_label("stored").wait_for()
        for phone in phones:
            assert phone.complaints == []
            phone.put_away()
