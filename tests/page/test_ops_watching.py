"""What an operator sees without asking for it: calls for help, news of others' acts, and figures that are none."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.page.fake_admin import ANA
from tests.page.operators import POCKET, Desk, desk, desks, live

pytestmark = pytest.mark.browser
__all__ = ["desk", "desks", "live"]


def raise_storm(desk: Desk, help: int = 0) -> None:
    args = {"status": "actual", "severity": "severe", "headline": "Storm"}
    desk.live.call(desk.house._do, "alert.raise", args)
    desk.house.alerts[-1]["ledger"]["help"] = help
    desk.push()


def test_the_button_of_a_call_for_help_is_one_line_on_a_phone(desk: Desk) -> None:
    """It read "Loo", and "k" below it."""
    desk.page.set_viewport_size(POCKET)
    raise_storm(desk, help=2)
    look = desk.page.locator("#calls").get_by_role("button", name="Look")
    look.wait_for()
    lines = """button => {
        const words = document.createRange();
        words.selectNodeContents(button);
        return words.getClientRects().length;
    }"""
    assert look.evaluate(lines) == 1


def test_a_call_for_help_is_seen_in_every_view_and_over_every_dialog(desk: Desk) -> None:
    """It stood on the card of the alert, in a view that nobody may have open."""
    page = desk.page
    raise_storm(desk)
    desk.open_room("Camp")
    assert page.locator("#calls").is_hidden()
    desk.house.alerts[0]["ledger"]["help"] = 2
    desk.house.reads["alert.ledger"] = [{"member": ANA, "nickname": "Ana", "state": "seen", "at": 1.0, "note": "mast"}]
    desk.push()
    page.locator("#drawer .toast", has_text="2 people need help: Storm").get_by_role("button", name="Look").click()
    page.locator("#names", has_text="mast").wait_for()
    page.locator("#names-said", has_text="1 person, as of ").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator("#calls", has_text="2 people need help: Storm").get_by_role("button", name="Look").click()
    page.locator("#names", has_text="mast").wait_for()
    page.keyboard.press("Escape")
    desk.push()
    assert page.locator(".toast", has_text="need help").count() == 0, "said once"
    desk.house.alerts[0]["state"] = "cleared"
    desk.push()
    page.locator("#calls").wait_for(state="hidden")


def test_a_filter_of_the_activity_looks_further_back_and_says_how_far_it_has(
    desks: Callable[..., Desk], live: Any
) -> None:
    """Of the newest it said "nothing like that has happened", and "Further back" brought nothing to the eye."""
    house = live.house
    house.reads["activity.page"] = [
        {"n": n, "at": 1_790_000_000.0, "kind": "fault" if n == 3 else "room", "text": f"event {n}"}
        for n in range(900, 0, -1)
    ]
    house.pages["activity.page"] = 100
    house.events = [{"n": 901, "at": 1_790_000_000.0, "kind": "act", "text": "newest"}]
    desk = desks()
    desk.sign_in()
    page = desk.page
    desk.button("Activity").click()
    page.locator("#feed", has_text="newest").wait_for()
    page.get_by_label("Kind").select_option("fault")
    page.locator("#feed-none", has_text="Nothing like that since ").wait_for()
    page.locator("#feed-more").click()
    page.locator("#feed", has_text="event 3").wait_for()
    house.refuse.add("activity.page")
    page.get_by_label("Kind").select_option("sign_in")
    page.locator("#feed-none", has_text="Nothing like that has happened.").wait_for()


def test_a_page_of_the_activity_that_cannot_be_read_is_said(desks: Callable[..., Desk], live: Any) -> None:
    live.house.events[0]["n"] = 7
    live.house.refuse.add("activity.page")
    desk = desks()
    desk.sign_in()
    desk.button("Activity").click()
    desk.page.locator("#feed-more").click()
    desk.page.locator("#feed-none", has_text="not just now").wait_for()


def test_what_others_do_and_report_appears_in_the_open_view(desk: Desk) -> None:
    page = desk.page
    desk.button("Acts and reports").click()
    page.get_by_text("Nothing is waiting.").wait_for()
    desk.house.reads["report.list"] = [{"report": "r1", "room": "camp", "seq": 4, "why": "insults", "at": 1.0}]
    desk.house.note("report", "reported")
    desk.push()
    page.locator("#reports-list", has_text="insults").wait_for()
    desk.house.furnish()
    desk.house.note("act", "ben mutes")
    desk.push()
    page.locator("#acts-list", has_text="room.freeze").wait_for()


def test_whether_the_house_is_calmed_is_said(desk: Desk) -> None:
    page = desk.page
    desk.button("House").click()
    page.locator("#laid-said", has_text="Nobody").wait_for()
    assert page.locator("#calm-said").inner_text() == ""
    desk.house.details["house.show"] = {"calm": True}
    desk.house.note("act", "ben calms the house")
    desk.push()
    page.locator("#calm-said", has_text="The house is calmed").wait_for()


def test_a_delay_that_was_not_measured_is_no_delay_of_nothing(desk: Desk) -> None:
    desk.house.rooms["camp"]["p99_ms"] = None
    desk.push()
    cell = desk.page.locator("#rooms-body tr", has_text="Camp").locator(".col-p99_ms")
    cell.filter(has_text="–").wait_for()


def test_that_nothing_is_heard_is_seen_at_the_end_of_a_long_page_too(desk: Desk) -> None:
    page = desk.page
    page.set_viewport_size({"width": 1_280, "height": 400})
    page.locator("#rooms-rest").evaluate("e => e.parentElement.scrollIntoView(false)")
    desk.house.down = True
    desk.live.call(desk.house.cut_all)
    strip = page.locator("#offline")
    strip.wait_for()
    box = strip.bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 400
