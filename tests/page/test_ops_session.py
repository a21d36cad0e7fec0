"""The end of a session and of a connection at the operators' page: nothing locks it, nothing old passes for new, and
nobody gives another one's orders."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.page.conftest import stop_the_clock
from tests.page.operators import Desk, desk, desks, live

pytestmark = pytest.mark.browser
__all__ = ["desk", "desks", "live"]

OVER = "Your session is over: it has run out, or it was ended elsewhere. Sign in again."


def end(desk: Desk, code: int = 4401, word: str = "token") -> None:
    desk.live.call(desk.house.say_bye, code, word)


def lose(desk: Desk) -> None:
    desk.house.down = True
    desk.live.call(desk.house.cut_all)


def test_a_session_that_ends_closes_what_is_open_and_asks_in_words(desk: Desk) -> None:
    """The form stood behind the room's drawer, which was modal: it could not be used, and it said "token"."""
    page = desk.page
    drawer = desk.open_room("Main Stage")
    drawer.get_by_role("button", name="More about Ana").click()
    page.locator("#person").wait_for()
    end(desk)
    page.locator("#sign-problem", has_text=OVER).wait_for()
    assert page.locator("dialog[open]").count() == 0
    assert page.locator("#desk").is_hidden()
    desk.sign_in()
    page.locator("#connection-text", has_text="Live").wait_for()
    desk.open_room("Main Stage")


def test_a_session_that_ends_for_another_reason_asks_too(desk: Desk) -> None:
    """The page stood there with "Ended" and no way on."""
    end(desk, 4429, "abusive")
    desk.page.locator("#sign-problem", has_text="Too much at once from here.").wait_for()
    desk.sign_in()
    desk.page.locator("#connection-text", has_text="Live").wait_for()


def test_an_alert_half_written_is_there_again_for_the_same_operator(desk: Desk) -> None:
    page = desk.page
    desk.button("Raise an alert").click()
    page.get_by_label("Headline", exact=True).fill("Walk to the north gate")
    desk.button("See what phones will show").click()
    page.get_by_label("Type DRILL to send it").wait_for()
    end(desk)
    page.locator("#sign-problem", has_text=OVER).wait_for()
    desk.sign_in()
    page.locator("#raise-form").wait_for()
    assert page.get_by_label("Headline", exact=True).input_value() == "Walk to the north gate"


def test_another_operator_finds_another_page_and_gives_no_order_of_the_one_before(desk: Desk) -> None:
    page = desk.page
    desk.live.call(desk.house._do, "alert.raise", {"status": "actual", "severity": "severe", "headline": "Storm"})
    desk.push()
    desk.button("Alerts 1").click()
    page.locator("#alert-cards").get_by_role("button", name="All clear").click()
    page.locator("#order").get_by_label("Reason").fill("it has passed")
    lose(desk)
    page.locator("#connection-text", has_text="Offline").wait_for(state="attached")
    page.locator("#order").get_by_role("button", name="All clear").click()
    page.locator("#toasts", has_text="alert.all_clear: the connection was lost.").wait_for()
    desk.live.call(desk.house.sessions.clear)
    desk.house.role = "viewer"
    desk.house.down = False
    page.locator("#sign-problem", has_text="Your session is over").wait_for()
    desk.sign_in(name="ben")
    page.get_by_text("ben, viewer").wait_for()
    page.locator("#feed", has_text="maria signed in").wait_for(state="attached")
    desk.button("Alerts 1").click()
    page.locator("#alert-cards .card").get_by_role("button", name="Who needs help").wait_for()
    assert page.locator("#alert-cards").get_by_role("button", name="All clear").count() == 0
    assert page.locator("#raise-open").is_hidden()
    assert desk.house.given == []


def test_an_open_dialog_says_that_the_connection_is_lost_and_what_becomes_of_an_order(desk: Desk) -> None:
    """The strip that says so lay under the dialog: what was in the dialog passed for the present."""
    page = desk.page
    drawer = desk.open_room("Camp")
    lose(desk)
    drawer.get_by_text("What you see is old.").wait_for()
    drawer.get_by_role("button", name="Freeze").click()
    order = page.locator("#order")
    order.get_by_text("What you see is old.").wait_for()
    order.get_by_label("Reason").fill("fight")
    order.get_by_role("button", name="Freeze this room").click()
    waits = page.locator(".toast", has_text="room.freeze camp: the connection was lost.")
    waits.get_by_text("given again as soon as it is back").wait_for()
    desk.house.down = False
    page.locator(".toast", has_text="Done: room.freeze camp").wait_for()
    assert waits.count() == 0
    page.locator("#offline").wait_for(state="hidden")
    page.keyboard.press("Escape")
    lose(desk)
    page.locator("#desk").get_by_text("What you see is old.").wait_for()


def test_a_page_that_comes_back_to_a_server_that_is_away_is_not_blank(desk: Desk) -> None:
    page = desk.page
    desk.house.down = True
    page.reload()
    page.locator("#sign-problem", has_text="The server cannot be reached. Trying again.").wait_for()
    desk.house.down = False
    page.locator("#connection-text", has_text="Live").wait_for()
    assert page.locator("#sign").is_hidden()


def test_no_figures_are_not_called_live(desks: Callable[..., Desk], live: Any) -> None:
    live.house.unknown.add("stats")
    desk = desks()
    desk.sign_in()
    desk.page.locator("#rooms-body", has_text="Camp").wait_for()
    desk.page.locator("#age", has_text="No figures yet").wait_for()
    desk.button("House").click()
    assert desk.page.locator("#ladder [aria-pressed=true]").count() == 0, "nobody knows the level yet"
    live.house.unknown.clear()
    stop_the_clock(desk.page)
    desk.push()
    desk.page.locator("#age", has_text="Figures are live").wait_for()
    desk.page.locator("#ladder [aria-pressed=true]", has_text="5 Normal").wait_for()


def test_an_order_that_waits_leaves_the_next_one_alone(desk: Desk) -> None:
    """Whoever closed its dialog and began another order found that one's button dead, and when the first was answered
    the other was closed, unsent."""
    page = desk.page
    drawer = desk.open_room("Camp")
    lose(desk)
    drawer.get_by_text("What you see is old.").wait_for()
    drawer.get_by_role("button", name="Freeze").click()
    order = page.locator("#order")
    order.get_by_label("Reason").fill("fight")
    order.get_by_role("button", name="Freeze this room").click()
    page.locator(".toast", has_text="room.freeze camp: the connection was lost.").wait_for()
    page.keyboard.press("Escape")
    drawer.get_by_role("button", name="Slow").click()
    order.get_by_label("Reason").fill("too quick")
    assert order.get_by_role("button", name="Slow mode").is_enabled()
    desk.house.down = False
    page.locator(".toast", has_text="Done: room.freeze camp").wait_for()
    order.get_by_role("button", name="Slow mode").click()
    page.locator(".toast", has_text="Done: room.slow camp").wait_for()
    assert [given["name"] for given in desk.house.given] == ["room.freeze", "room.slow"]
    order.wait_for(state="hidden")


def test_an_alert_that_waits_to_go_leaves_the_next_one_alone(desk: Desk) -> None:
    page = desk.page
    desk.button("Raise an alert").click()
    page.get_by_label("Headline", exact=True).fill("Walk to the north gate")
    desk.button("See what phones will show").click()
    page.get_by_label("Type DRILL to send it").fill("DRILL")
    lose(desk)
    page.locator("#raise").get_by_text("What you see is old.").wait_for()
    desk.button("Send the drill").click()
    page.locator(".toast", has_text="alert.raise: the connection was lost.").wait_for()
    page.locator("#raise-close").click()
    desk.button("Raise an alert").click()
    page.get_by_label("Headline", exact=True).fill("Walk to the south gate")
    desk.house.down = False
    page.locator(".toast", has_text="Done: alert.raise").wait_for()
    desk.button("See what phones will show").click()
    page.get_by_label("Type DRILL to send it").fill("DRILL")
    desk.button("Send the drill").click()
    page.locator("#raise").wait_for(state="hidden")
    desk.until(lambda: len(desk.house.given) == 2)
    words = [given["args"]["headline"] for given in desk.house.given]
    assert words == ["Walk to the north gate", "Walk to the south gate"]
