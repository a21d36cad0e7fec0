"""The operators' page of a house that does not fit: what is not shown is said, and everything can be reached."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.page.fake_admin import room
from tests.page.operators import Desk, desks, live

pytestmark = pytest.mark.browser
__all__ = ["desks", "live"]


def fill(house: Any, rooms: int = 700, shown: int = 100) -> None:
    """The more people, the later the name; but the last one of all has nobody, and a zone of its own."""
    house.rooms = {each["room"]: each for each in (room(f"tent-{n:04}", 1 + n) for n in range(rooms - 1))}
    house.rooms["zz-gate"] = room("zz-gate", 0, zone="far-east")
    house.rooms_most, house.pages["room.list"] = shown, 200


@pytest.fixture
def large(desks: Callable[..., Desk], live: Any) -> Desk:
    fill(live.house)
    desk = desks()
    desk.sign_in()
    desk.page.locator("#connection-text", has_text="Live").wait_for()
    return desk


def test_every_room_is_in_the_table_or_said_to_be_missing(large: Desk) -> None:
    """From some 240 rooms on the rest were not on the page, and a filter said that there is no such room."""
    page = large.page
    page.locator("#rooms-rest", has_text="and 400 more: narrow the filter to see them").wait_for()
    page.locator("#rooms-rest", has_text="600 rooms are shown as of ").wait_for()
    assert page.locator("#rooms-body tr").count() == 300
    assert page.locator("#rooms-body tr").first.inner_text().startswith("Tent 0698")
    page.get_by_label("Filter the rooms").fill("far-east")
    row = page.locator("#rooms-body tr", has_text="Zz Gate")
    row.wait_for()
    assert row.get_attribute("data-old") == "yes", "it is not taken for a live one"
    page.get_by_label("Filter the rooms").fill("0698")
    live_row = page.locator("#rooms-body tr", has_text="Tent 0698")
    assert live_row.get_attribute("data-old") is None
    page.get_by_label("Filter the rooms").fill("nowhere")
    page.get_by_text("No room fits.").wait_for()


def test_while_rooms_are_missing_no_filter_says_that_there_is_no_such_room(
    desks: Callable[..., Desk], live: Any
) -> None:
    fill(live.house)
    live.house.refuse.add("room.list")
    desk = desks()
    desk.sign_in()
    page = desk.page
    page.locator("#rooms-rest", has_text="600 more rooms could not be read: not just now").wait_for()
    page.get_by_label("Filter the rooms").fill("far-east")
    page.locator("#rooms-rest", has_text="No room fits among those that are known.").wait_for()
    live.house.refuse.clear()
    page.evaluate("() => (Date.now = ((real) => () => real() + 6_000)(Date.now))")
    desk.push()
    page.locator("#rooms-body tr", has_text="Zz Gate").wait_for()


def test_an_alert_reaches_any_room_and_any_zone(large: Desk) -> None:
    page = large.page
    large.button("Raise an alert").click()
    page.get_by_label("Some rooms").check()
    large.button("See what phones will show").click()
    page.get_by_text("Choose at least one room").wait_for()
    page.locator("#raise-rest", has_text="and 500 more: narrow the filter to see them").wait_for()
    page.get_by_label("Filter the choice").fill("zz")
    page.locator("#raise-rooms").get_by_label("Zz Gate").check()
    page.get_by_label("Filter the choice").fill("0698")
    page.locator("#raise-rooms").get_by_label("Tent 0698").check()
    page.get_by_label("Filter the choice").press("Enter")
    assert page.locator("#raise-preview").is_hidden(), "the filter is no answer to the form"
    page.locator("#raise-chosen", has_text="2 chosen: Zz Gate, Tent 0698").wait_for()
    large.button("See what phones will show").click()
    page.get_by_text("Drill to 1,204 people in zz-gate, tent-0698").wait_for()
    large.button("Back to the words").click()
    page.get_by_label("Some zones").check()
    page.locator("#raise-zones").get_by_label("far-east").check()
    large.button("See what phones will show").click()
    page.get_by_label("Type DRILL to send it").fill("DRILL")
    large.button("Send the drill").click()
    page.locator("#alert-cards .card").wait_for()
    assert large.house.given[0]["args"]["zones"] == ["far-east"]


def test_everybody_can_be_listed_and_what_is_not_shown_is_said(large: Desk) -> None:
    page = large.page
    people = [{"member": f"m_{n:026}", "nickname": f"Guest {n}", "rooms": ["zz-gate"]} for n in range(450)]
    large.house.reads["member.list"] = people
    large.house.pages["member.list"] = 200
    large.house.details["member.list"] = {"online": 450}
    large.button("House").click()
    large.button("Who is here").click()
    page.locator("#find-said", has_text="200 of 450 are shown").wait_for()
    page.locator("#found-more").click()
    page.locator("#find-said", has_text="400 of 450 are shown").wait_for()
    page.locator("#found-more").click()
    page.locator("#find-said", has_text="450 found").wait_for()
    assert page.locator("#found li").count() == 450
    assert page.locator("#found-more").is_hidden()
    large.house.reads["member.find"] = people
    large.house.pages["member.find"] = 200
    page.get_by_label("Part of a name").fill("guest")
    large.button("Find").click()
    page.locator("#find-said", has_text="The first 200. There are more: write more of the name.").wait_for()


def test_the_people_of_a_full_room_can_all_be_reached(large: Desk) -> None:
    people = [{"member": f"m_{n:026}", "nickname": f"Guest {n}"} for n in range(300)]
    large.house.members = people[:50]
    large.house.reads["member.list"] = people
    large.house.pages["member.list"] = 200
    large.house.rooms["tent-0698"]["online"] = 300
    large.page.get_by_label("Filter the rooms").fill("0698")
    drawer = large.open_room("Tent 0698")
    drawer.locator("#drawer-rest", has_text="50 of 300 people are shown.").wait_for()
    drawer.get_by_role("button", name="More people").click()
    drawer.locator("#drawer-rest", has_text="200 of 300 people are shown").wait_for()
    drawer.get_by_role("button", name="More people").click()
    drawer.get_by_role("button", name="Kick Guest 299").wait_for()
    assert drawer.get_by_role("button", name="More people").is_hidden()
    large.push()
    assert drawer.locator("#drawer-members li").count() == 300


def test_an_export_ends_where_the_history_ends(large: Desk) -> None:
    page = large.page
    large.house.reads["timeline.export"] = [{"n": n} for n in range(700)]
    large.house.pages["timeline.export"] = 1
    page.evaluate("() => (window.setTimeout = ((real) => (act, ms) => real(act, ms === 60 ? 0 : ms))(setTimeout))")
    large.button("House").click()
    with page.expect_download() as saved:
        large.button("Save as a file").click()
    assert len(saved.value.path().read_text().splitlines()) == 700
    page.locator(".toast", has_text="700 lines saved").wait_for()


def test_reports_further_back_can_be_reached(large: Desk) -> None:
    page = large.page
    large.house.reads["report.list"] = [
        {"report": str(n), "room": "zz-gate", "seq": n, "why": f"insult {n}", "at": 1.0} for n in range(150)
    ]
    large.house.pages["report.list"] = 100
    large.button("Acts and reports").click()
    page.locator("#reports-list li").nth(99).wait_for()
    page.locator("#reports-more").click()
    page.locator("#reports-list", has_text="insult 149").wait_for()
    assert page.locator("#reports-list li").count() == 150


def test_alerts_that_have_no_place_are_counted(large: Desk) -> None:
    large.live.call(large.house._do, "alert.raise", {"status": "actual", "severity": "severe", "headline": "Storm"})
    large.house.alerts_more = 12
    large.push()
    large.button("Alerts 1").click()
    large.page.get_by_text("12 more alerts are not shown").wait_for()
