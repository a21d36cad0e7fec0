"""The alert composer in a hurry: nothing of the last alert is left in it, and no slip loses what was written."""

from typing import Any

import pytest

from tests.page.operators import Desk, desk, desks, live

pytestmark = pytest.mark.browser
__all__ = ["desk", "desks", "live"]


def test_nothing_of_the_last_alert_is_in_the_next_one(desk: Desk) -> None:
    """After a real alert the next one began as a real one, in its language and with its reason for the record."""
    page = desk.page

    def label(name: str) -> Any:
        return page.locator("#raise").get_by_label(name, exact=True)

    desk.button("Raise an alert").click()
    label("Real or drill").select_option("actual")
    label("Headline").fill("Fight at gate C")
    label("Answer wanted").select_option("none")
    page.locator("#raise-finer summary").click()
    label("Language of the text").fill("de")
    label("Repeat after, seconds (0 = never)").fill("0")
    label("Answers spread over, seconds").fill("90")
    page.get_by_label("Some rooms").check()
    page.locator("#raise-rooms").get_by_label("Camp").check()
    desk.button("See what phones will show").click()
    label("Reason (kept in the record)").fill("fight at gate C")
    page.get_by_label("Type SEND ALERT to send it").fill("SEND ALERT")
    desk.button("Send the alert").click()
    page.locator("#alert-cards .card").wait_for()
    assert desk.house.given[0]["args"]["lang"] == "de"
    desk.button("Raise an alert").click()
    values = page.evaluate("() => [...document.querySelectorAll('#raise .field')].map(e => [e.id, e.value])")
    fields = dict(values)
    shown = {name: fields[f"field-alert-{name}"] for name in ("status", "ack", "lang", "remind_s", "spread")}
    assert shown == {"status": "exercise", "ack": "required", "lang": "en", "remind_s": "60", "spread": "5"}
    assert fields["raise-reason"] == ""
    assert page.get_by_label("Everybody").is_checked()
    page.get_by_label("Some rooms").check()
    assert not page.locator("#raise-rooms").get_by_label("Camp").is_checked()


def test_a_slip_beside_the_dialog_or_one_escape_loses_no_words(desk: Desk) -> None:
    page = desk.page
    desk.button("Raise an alert").click()
    headline = page.get_by_label("Headline", exact=True)
    headline.fill("Walk to the north gate")
    page.mouse.click(5, 5)
    assert page.locator("#raise").is_visible()
    page.keyboard.press("Escape")
    page.get_by_text("Escape once more throws away what you wrote.").wait_for()
    assert headline.input_value() == "Walk to the north gate"
    page.keyboard.press("Escape")
    page.locator("#raise").wait_for(state="hidden")
    desk.button("Raise an alert").click()
    page.keyboard.press("Escape")
    page.locator("#raise").wait_for(state="hidden")


def test_words_of_an_update_are_asked_for_or_the_update_is_not_begun(desk: Desk) -> None:
    """Where the words that are out could not be read the form began empty, and sent an empty text."""
    page = desk.page
    desk.live.call(desk.house._do, "alert.raise", {"status": "actual", "severity": "severe", "headline": "Storm"})
    desk.push()
    desk.house.refuse.add("alert.show")
    desk.button("Alerts 1").click()
    page.locator("#alert-cards").get_by_role("button", name="Update").click()
    page.locator(".toast", has_text="alert.show: not just now").wait_for()
    assert page.locator("#order").is_hidden()
