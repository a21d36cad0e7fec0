"""Who is not let in hears why and until when, and stays who they are."""

from itertools import pairwise
from time import monotonic
from typing import Any

import pytest
from attrs import evolve

from gateway.protocol import client, server
from gateway.protocol.codes import CloseCode
from tests.client.fake_server import Close, no
from tests.client.live import LiveHouse
from tests.page.conftest import Phone, stop_the_clock

pytestmark = pytest.mark.browser


def token(phone: Phone) -> str | None:
    kept: str | None = phone.page.evaluate("() => localStorage.getItem('bandstand.token')")
    return kept


def refuse(live: LiveHouse, of: type, code: str, message: str, retry_after_ms: int | None = None) -> list[float]:
    """Since when each of those who were refused knows it, as the server sees it."""
    told: list[float] = []

    def answer(frame: Any) -> server.ErrorFrame | None:
        if not isinstance(frame, of):
            return None
        told.append(monotonic())
        return evolve(no(frame, code, retry_after_ms), message=message)

    live.house.refuse = answer
    return told


def admit(live: LiveHouse) -> None:
    live.house.refuse = lambda frame: None


def admit_and_wait(phone: Phone, live: LiveHouse, told: list[float], wait_s: float) -> None:
    """Who was refused comes in by themselves, and has knocked no sooner than told to, however slow the machine
    is: the server refuses first, and they count from when they hear of it."""
    live.house.refuse = lambda frame: told.append(monotonic()) if isinstance(frame, client.Auth) else None
    phone.live_now()
    assert len(told) > 1
    waits = [later - sooner for sooner, later in pairwise(told)]
    assert min(waits) > wait_s - 0.05, waits  # The browser's clock is another one, in whole milliseconds.


def rename(phone: Phone, nickname: str) -> None:
    phone.page.get_by_role("button", name="Menu").click()
    phone.page.get_by_role("button", name="Come in under another name").click()
    phone.page.get_by_label("Your name").fill(nickname)
    phone.page.get_by_label("Room or code").fill("blue-stage")
    phone.page.get_by_role("button", name="Come in").click()


def test_a_name_that_is_refused_costs_nobody_their_identity(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.say("mine")
    phone.message("mine").get_by_label("stored").wait_for()
    kept = token(phone)
    refuse(live, client.Auth, "forbidden", "this name is kept for the staff; choose another one")
    rename(phone, "Security")
    phone.page.locator("#door-problem", has_text="This name is kept for the staff").wait_for()
    assert token(phone) == kept
    admit(live)
    phone.come_in("Anastasia")
    assert "own" in phone.message("mine").get_attribute("class")
    assert set(live.house.members) == {kept and kept.strip('"')}


def test_who_is_banned_does_not_come_in_as_somebody_new(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    kept = token(phone)
    refuse(live, client.Auth, "banned", "you may not come in here: rude")
    phone.page.reload()
    problem = phone.page.locator("#door-problem", has_text="You may not come in here: rude.")
    problem.wait_for()
    arrivals = live.house.arrivals
    phone.page.get_by_role("button", name="Come in").click()
    phone.until(lambda: live.house.arrivals > arrivals)
    problem.wait_for()
    assert token(phone) == kept
    assert len(live.house.members) == 1


def test_who_is_banned_for_a_time_hears_until_when_and_knocks_no_sooner(phone: Phone, live: LiveHouse) -> None:
    """It knocked every half minute, and said "Offline"."""
    phone.come_in()
    kept = token(phone)
    told = refuse(live, client.Auth, "banned", "you may not come in here: rude", 2_500)
    phone.page.reload()
    strip = phone.page.locator("#offline-text", has_text="You may not come in here: rude. next try in")
    strip.wait_for()
    phone.page.evaluate("() => dispatchEvent(new Event('online'))")
    phone.page.evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    assert "Offline" not in phone.page.locator("#inside").inner_text()
    phone.say("waits")
    admit_and_wait(phone, live, told, 2.5)
    phone.message("waits").get_by_label("stored").wait_for()
    assert token(phone) == kept


def test_a_time_that_is_longer_than_a_timer_can_run_is_waited_for(phone: Phone, live: LiveHouse) -> None:
    """A timer of more than 24 days ends at once."""
    refuse(live, client.Auth, "banned", "you may not come in here", 40 * 86_400_000)
    phone.page.get_by_label("Your name").fill("Ana")
    phone.page.get_by_label("Room or code").fill("blue-stage")
    phone.page.get_by_role("button", name="Come in").click()
    phone.page.get_by_text("You can come in again after").wait_for()
    phone.page.wait_for_timeout(500)
    assert live.house.arrivals == 1


def test_who_may_not_enter_a_room_for_a_time_hears_until_when(phone: Phone, live: LiveHouse) -> None:
    refuse(live, client.Join, "banned", "you may not enter this room: rude", 600_000)
    phone.page.get_by_label("Your name").fill("Ana")
    phone.page.get_by_label("Room or code").fill("blue-stage")
    phone.page.get_by_role("button", name="Come in").click()
    phone.page.locator("#door-problem", has_text="You may not enter this room: rude. You can come in again").wait_for()
    assert token(phone) is not None


def test_who_is_muted_for_a_time_hears_until_when(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    refuse(live, client.Send, "muted", "you may not write here for now: rude", 600_000)
    phone.say("let me speak")
    phone.message("let me speak").get_by_text("not sent: you may not write here for now: rude, until ").wait_for()


def test_a_room_that_keeps_somebody_waiting_says_why(phone: Phone, live: LiveHouse) -> None:
    """The strip said "Offline since" with the moment at which the connection had come."""
    phone.come_in()
    refuse(live, client.Join, "unavailable", "this room is closed for the moment", 3_000)
    live.call(live.house.cut_all)
    phone.page.locator("#offline", has_text="This room is closed for the moment.").wait_for()
    assert "Offline" not in phone.page.locator("#offline").inner_text()
    admit(live)
    phone.live_now()
    phone.page.locator("#offline").wait_for(state="hidden")


def part(live: LiveHouse, code: CloseCode) -> None:
    live.house.say_all({"type": "bye", "code": int(code), "message": code.text})
    live.house.say_all(Close(code, said=False))


def test_who_is_put_out_hears_it_in_words(phone: Phone, live: LiveHouse) -> None:
    """Whoever leaves closes the connection and hears no 1000: "You have left." was never true."""
    phone.come_in()
    live.call(part, live, CloseCode.LEFT)
    phone.page.locator(
        "#offline-text", has_text="The stewards have put you out. Load the page to come in again."
    ).wait_for()


def test_who_is_banned_for_a_time_hears_why_and_until_when_at_the_door(phone: Phone, live: LiveHouse) -> None:
    """The close has neither; the page said "You have been asked to leave." until somebody loaded it again."""
    phone.come_in()
    told = refuse(live, client.Auth, "banned", "you may not come in here: rude", 2_500)
    live.call(part, live, CloseCode.BANNED)
    phone.page.locator("#offline-text", has_text="You may not come in here: rude. next try in").wait_for()
    admit_and_wait(phone, live, told, 2.5)


def test_who_is_banned_and_let_in_at_the_door_knocks_once(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    stop_the_clock(phone.page)  # Whoever has been let in for ten seconds knocks again.
    live.call(part, live, CloseCode.BANNED)
    phone.until(lambda: live.house.arrivals == 2)
    phone.live_now()
    live.call(part, live, CloseCode.BANNED)
    phone.page.locator("#offline-text", has_text="You have been asked to leave.").wait_for()
    assert live.house.arrivals == 2


def test_every_name_of_a_close_code_is_known_to_the_page() -> None:
    from bandstand.pages import assets

    link = assets("North Fields")["/app/link.js"].body.decode()
    assert [code.text for code in CloseCode if f'"{code.text}"' not in link] == []


def test_a_token_that_was_revoked_means_coming_in_as_somebody_new(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    live.call(live.house.members.clear)
    live.call(live.house.say_all, Close(4401))
    phone.page.locator("#door-problem", has_text="Come in again under a name.").wait_for()
    phone.come_in("Bea")
    assert list(live.house.members.values()) == ["Bea"]


def test_what_was_said_at_the_door_stands_while_it_knocks_again(phone: Phone, live: LiveHouse) -> None:
    """For as long as that took, the strip said "Offline since"."""
    phone.come_in()
    refuse(live, client.Auth, "banned", "you may not come in here: rude", 1_500)
    phone.page.reload()
    strip = phone.page.locator("#offline-text", has_text="You may not come in here: rude.")
    strip.wait_for()
    live.house.silent = True
    phone.page.locator("#connection-text", has_text="Connecting").wait_for()
    assert "Offline" not in phone.page.locator("#inside").inner_text()
    assert strip.is_visible()
