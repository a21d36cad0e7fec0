"""Every command has its control on the operators' page, for those who may give it and nobody else; what owners do."""

from collections.abc import Callable
from typing import Any

import pytest

from actors.admin.commands import TABLE
from actors.admin.roles import Role
from tests.page.fake_admin import ANA
from tests.page.operators import Desk, desks, live

pytestmark = pytest.mark.browser
__all__ = ["desks", "live"]

WITHOUT = {
    "room.list": "asked for the rooms that the topic `rooms` has no place for",
    "alert.list": "the topic `alerts` does",
    "room.show": "asked by Settings, which begin with what holds now",
    "alert.show": "asked by Update, which begins with the words that are out",
    "alert.preview": "asked by the composer",
    "timeline.show": "timeline.export saves the same as a file",
}
"""Commands without a control of their own, and why."""
VISIBLE = """() => [...document.querySelectorAll('[data-act]:not(:disabled)')].filter(e => e.checkVisibility())
    .map(e => e.dataset.act)"""


def controls(desk: Desk) -> set[str]:
    """What can be pressed on a walk through the whole page, and what the page has asked meanwhile."""
    page = desk.page
    found: set[str] = set()

    def look() -> None:
        found.update(page.evaluate(VISIBLE))

    for title in ("Camp", "Main Stage"):
        page.locator("#rooms-body").get_by_role("button", name=title).click()
        page.locator("#drawer-messages" if title == "Main Stage" else "#drawer-members", has_text="Ana").wait_for()
        look()
        if title == "Main Stage":
            page.locator("#drawer").get_by_role("button", name="More about Ana").click()
            page.locator("#person-laid", has_text="Muted").wait_for()
            look()
            page.keyboard.press("Escape")
        page.keyboard.press("Escape")
    for view, signs in SIGNS.items():
        if page.locator(f"#tab-{view}").is_visible():
            page.locator(f"#tab-{view}").click()
            for each in signs:
                page.locator(each).first.wait_for()
            look()
            if view == "alerts":
                page.locator("#alert-cards .card").first.get_by_role("button", name="Who needs help").click()
                page.locator("#names-list li").first.wait_for()
                look()
                page.keyboard.press("Escape")
    return found | desk.house.asked


SIGNS = {
    "alerts": ("#alert-cards .card",),
    "activity": ("#feed li",),
    "records": ("#acts-list li", "#reports-list li"),
    "house": ("#laid-list li",),
    "owner": ("#audit-list li", "#operators-list li", "#tokens-list li", "#sessions-list li"),
}
"""What each view reads, each of it by a question of its own."""


def test_every_command_has_a_control_for_those_who_may_give_it_and_for_nobody_else(
    desks: Callable[..., Desk], live: Any
) -> None:
    house = live.house
    house.furnish()
    for event in house.events:
        event["n"] += 10  # There is more further back.
    house.rooms["camp"] |= {"frozen": True, "closed": True}
    hidden = {"seq": 8, "ts": 1.0, "member": ANA, "nickname": "Bo", "text": "", "hidden": True, "deleted": False}
    house.messages["main-stage"].append(hidden)
    live.call(house._do, "alert.raise", {"status": "exercise", "severity": "minor", "headline": "Practice"})
    desk = desks()
    desk.sign_in()
    desk.page.locator("#connection-text", has_text="Live").wait_for()
    for role in Role:
        house.role = role.word
        house.asked.clear()
        desk.page.reload()
        desk.page.get_by_text(f"maria, {role.word}").wait_for()
        may = {name for name, spec in TABLE.items() if spec.role <= role}
        assert controls(desk) == may - WITHOUT.keys(), role


def test_what_owners_do(desks: Callable[..., Desk], live: Any) -> None:
    house = live.house
    house.role = "owner"
    house.furnish()
    desk = desks()
    desk.sign_in()
    page = desk.page
    order = page.locator("#order")

    def give(button: str, reason: str = "as agreed") -> dict[str, Any]:
        order.get_by_label("Reason").fill(reason)
        order.get_by_role("button", name=button, exact=True).click()
        order.wait_for(state="hidden")
        given: dict[str, Any] = house.given[-1]
        return given

    def close_toasts() -> None:
        page.evaluate("() => document.querySelectorAll('.toast .close').forEach(each => each.click())")

    desk.button("Owner").click()
    page.locator("#sessions-list", has_text="this page").wait_for()
    desk.button("Add").click()
    order.get_by_label("Name to sign in with").fill("ruth")
    order.get_by_label("Role").select_option("safety")
    order.get_by_label("Password").fill("four unrelated words")
    order.get_by_text("Another command makes up for it").wait_for()
    assert give("Add an operator")["args"] == {"name": "ruth", "role": "safety", "password": "four unrelated words"}
    assert "four unrelated words" not in str(house.tried), "a dry run is not told a password"
    page.locator(".toast", has_text="operator.add").get_by_role("button", name="Undo").click()
    assert give("Undo operator.add")["name"] == "operator.remove"
    close_toasts()
    page.get_by_role("button", name="Role ben").click()
    order.get_by_text("Nothing is changed yet.").wait_for()
    order.get_by_label("Role", exact=True).select_option("operator")
    assert give("Save")["args"] == {"name": "ben", "role": "operator"}
    close_toasts()
    house.details["token.create"] = {"token": "t_2", "secret": "tok_only_once"}
    desk.button("New token").click()
    order.get_by_label("What it is for").fill("wall")
    assert give("Make the token")["args"] == {"name": "wall", "role": "viewer"}
    page.locator("#once").wait_for()
    assert page.get_by_label("Copy it now").input_value() == "tok_only_once"
    desk.button("I have it").click()
    assert "tok_only_once" not in page.content()
    assert page.get_by_label("Copy it now", exact=True).input_value() == ""
    page.get_by_role("button", name="Revoke wall").click()
    assert give("Revoke wall")["args"] == {"token": "t_1"}
    page.get_by_role("button", name="End the session of ben").click()
    assert give("Sign out ben")["args"] == {"session": "s_2"}
    close_toasts()
    desk.button("Verify").click()
    page.get_by_text("The record is whole").wait_for()
    house.details["house.wipe"] = {"confirm": "WIPE North Fields", "second": True}
    desk.button("Wipe the house").click()
    order.get_by_text("Somebody else has to agree within a minute.").wait_for()
    order.get_by_label("Reason").fill("over")
    order.get_by_role("button", name="Wipe the house").click()
    order.get_by_text("Type WIPE North Fields exactly").wait_for()
    order.get_by_label("Type WIPE North Fields to confirm").fill("WIPE North Fields")
    assert give("Wipe the house")["confirm"] == "WIPE North Fields"


def test_a_room_and_a_person_are_changed_and_only_what_was_changed_is_sent(
    desks: Callable[..., Desk], live: Any
) -> None:
    house = live.house
    house.furnish()
    house.details["room.show"] = {
        "title": "Camp", "code": "camp-42", "zone": "west", "capacity": None, "official": True,
    }  # fmt: skip
    house.details["member.create"] = {"member": ANA, "nickname": "Robin", "token": "tok_robin"}
    desk = desks()
    desk.sign_in()
    page = desk.page
    order = page.locator("#order")
    desk.open_room("Camp").get_by_role("button", name="Settings").click()
    order.get_by_label("Zone").fill("east")
    order.get_by_label("Most people at a time").fill("250")
    order.get_by_label("Reason").fill("moved")
    order.get_by_role("button", name="Save").click()
    order.wait_for(state="hidden")
    assert house.given[-1]["args"] == {"room": "camp", "zone": "east", "capacity": 250}
    page.get_by_role("button", name="More about Ana").click()
    page.locator("#person-facts", has_text="in Camp").wait_for()
    page.get_by_role("button", name="Name, role, badge").click()
    order.get_by_label("Role").fill("")
    order.get_by_label("Reason").fill("off duty")
    order.get_by_role("button", name="Save").click()
    order.wait_for(state="hidden")
    assert house.given[-1]["args"] == {"member": ANA, "role": ""}
    page.locator("#person").get_by_role("button", name="Lift").click()
    page.locator("#person .toast", has_text="member.unmute").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    desk.button("House").click()
    desk.button("New member").click()
    order.get_by_label("Name", exact=True).fill("Robin")
    order.get_by_label("Reason").fill("steward")
    order.get_by_role("button", name="Make the member").click()
    page.locator("#once").wait_for()
    assert page.get_by_label("Copy it now").input_value() == "tok_robin"
