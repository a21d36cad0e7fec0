"""The operators' page in a real browser, against a server that speaks the admin channel and can be made to go away."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.page.conftest import PATIENCE_MS, stop_the_clock
from tests.page.fake_admin import PASSWORD, room
from tests.page.hostile import ELEMENTS, PAYLOADS
from tests.page.operators import ANA, POCKET, SMALL, Desk, desk, desks, live
from tests.page.test_access import CONTRAST, UNNAMED

pytestmark = pytest.mark.browser

__all__ = ["desk", "desks", "live"]


def test_a_wrong_password_is_said_and_a_session_outlives_a_reload_but_not_the_tab(
    desks: Callable[..., Desk], live: Any
) -> None:
    desk = desks()
    desk.sign_in("wrong")
    desk.page.locator("#sign-problem", has_text="name or password is wrong").wait_for()
    desk.sign_in()
    desk.page.get_by_text("maria, safety").wait_for()
    assert desk.page.evaluate(
        "() => [localStorage.length - (localStorage['bandstand.look'] ? 1 : 0), sessionStorage.length]"
    ) == [0, 1]
    desk.page.reload()
    desk.page.get_by_text("maria, safety").wait_for()
    live.call(live.house.sessions.clear)
    desk.page.reload()
    desk.page.locator("#sign-problem", has_text="Your session is over").wait_for()
    desk.sign_in()
    desk.button("Sign out").click()
    desk.page.get_by_role("heading", name="Sign in").wait_for()
    assert desk.page.evaluate("() => sessionStorage.length") == 0


def test_the_first_operator_is_set_up_once_and_the_code_leaves_the_address(desks: Callable[..., Desk]) -> None:
    desk = desks("ops/setup#one-time-code")
    page = desk.page
    page.get_by_role("heading", name="Set up the first operator").wait_for()
    assert "one-time-code" not in page.url
    page.get_by_role("textbox", name="Operator").fill("maria")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The password again").fill("another")
    page.get_by_role("button", name="Set up").click()
    page.get_by_text("The two passwords differ.").wait_for()
    page.get_by_label("The password again").fill(PASSWORD)
    page.get_by_role("button", name="Set up").click()
    page.get_by_text("maria, safety").wait_for()
    assert page.url.endswith("/ops")


def test_figures_rooms_and_what_happens(desk: Desk) -> None:
    page = desk.page
    page.locator(".kpi", has_text="Deliveries/s").get_by_text("15,320").wait_for()
    assert "Now: Deliveries/s 3,481" in page.locator("#plot").get_attribute("aria-label")
    drawn = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)"
    assert page.locator("#plot").evaluate(drawn)
    titles = page.locator("#rooms-body .room-name")
    assert titles.all_inner_texts() == ["Main Stage", "Camp"]
    desk.button("Room").click()
    assert titles.all_inner_texts() == ["Camp", "Main Stage"]
    assert page.locator("th[data-key=room]").get_attribute("aria-sort") == "ascending"
    page.get_by_label("Filter the rooms").fill("west")
    assert titles.all_inner_texts() == ["Camp"]
    assert "slow 8 s" in page.locator("#rooms-body").inner_text()
    desk.button("Activity").click()
    page.locator("#feed", has_text="maria signed in").wait_for()
    page.get_by_label("Kind").select_option("fault")
    page.get_by_text("Nothing like that has happened.").wait_for()


def test_a_room_is_frozen_with_a_reason_and_the_act_is_undone(desk: Desk) -> None:
    page = desk.page
    drawer = desk.open_room("Main Stage")
    drawer.get_by_role("button", name="Freeze").click()
    order = page.locator("#order")
    order.get_by_text("Touches 800 people.").wait_for()
    order.get_by_role("button", name="Freeze this room").click()
    order.get_by_text("Reason (kept in the record) is missing.").wait_for()
    order.get_by_label("Reason").fill("fight near the bar")
    order.get_by_label("For how long").select_option("900")
    order.get_by_role("button", name="Freeze this room").click()
    drawer.get_by_role("button", name="Thaw").wait_for()
    given = desk.house.given[0]
    assert (given["name"], given["args"], given["reason"], given["ttl_s"]) == (
        "room.freeze", {"room": "main-stage"}, "fight near the bar", 900,
    )  # fmt: skip
    drawer.get_by_role("button", name="Hide the message of Ana").click()
    drawer.get_by_role("button", name="Restore the message of Ana").wait_for()
    drawer.get_by_role("button", name="Kick Ana").wait_for()
    page.keyboard.press("Escape")
    page.locator("#toasts .toast", has_text="room.freeze").get_by_role("button", name="Undo").click()
    page.locator("#toasts", has_text="Done: act.undo").wait_for()
    assert desk.house.given[-1]["args"] == {"act": "act_1"}
    page.locator("#rooms-body", has_text="frozen").wait_for(state="detached")


def test_an_order_whose_answer_was_lost_is_given_again_and_done_once(desk: Desk) -> None:
    desk.house.lose_answers = 1
    drawer = desk.open_room("Camp")
    drawer.get_by_role("button", name="Freeze").click()
    desk.page.locator("#order").get_by_label("Reason").fill("quiet")
    desk.page.locator("#order").get_by_role("button", name="Freeze this room").click()
    drawer.get_by_role("button", name="Thaw").wait_for()
    desk.page.locator("#toasts", has_text="Done: room.freeze camp").wait_for()
    assert [given["name"] for given in desk.house.given] == ["room.freeze"]


def test_an_order_while_the_line_is_closing_is_given_when_it_is_back(desk: Desk) -> None:
    """The close was heard and TCP was open still: asked again at once, for ever, nothing else could run on the page."""
    desk.house.hold_closed = True
    drawer = desk.open_room("Camp")
    drawer.get_by_role("button", name="Freeze").click()
    order = desk.page.locator("#order")
    order.get_by_label("Reason").fill("quiet")
    order.get_by_text("404 people").wait_for()
    desk.live.call(desk.house.say_bye, 4100, "overloaded")
    desk.until(lambda: desk.house.closed == 1)
    desk.house.hold_closed = False
    order.get_by_role("button", name="Freeze this room").click()
    drawer.get_by_role("button", name="Thaw").wait_for()
    assert [given["name"] for given in desk.house.given] == ["room.freeze"]


def test_a_drill_is_previewed_confirmed_by_the_right_word_and_counted(desk: Desk) -> None:
    page = desk.page
    desk.button("Raise an alert").click()
    page.get_by_label("Template").select_option("Evacuate the area")
    page.get_by_label("Headline", exact=True).fill("")
    desk.button("See what phones will show").click()
    page.get_by_text("An alert needs a headline.").wait_for()
    page.get_by_label("Headline", exact=True).fill("Walk to the north gate")
    page.get_by_label("Some rooms").check()
    page.locator("#raise-rooms").get_by_label("Main Stage").check()
    desk.button("See what phones will show").click()
    page.get_by_text("Drill to 1,204 people in main-stage").wait_for()
    phone = page.locator("#raise-phone .alert")
    assert "DRILL" in phone.inner_text()
    assert "Walk to the north gate" in phone.inner_text()
    word = page.get_by_label("Type DRILL to send it")
    word.fill("SEND ALERT")
    desk.button("Send the drill").click()
    page.get_by_text("Nothing was sent. Type DRILL exactly").wait_for()
    assert desk.house.given == []
    word.fill("DRILL")
    desk.button("Send the drill").click()
    card = page.locator("#alert-cards .card")
    card.get_by_text("DRILL: Walk to the north gate").wait_for()
    sent = desk.house.given[0]["args"]
    assert (sent["status"], sent["rooms"], sent["expires_s"], sent["ack"]) == (
        "exercise",
        ["main-stage"],
        3_600,
        "required",
    )
    assert sent["correction"]["headline"].startswith("Correction")


def test_the_ledger_adds_up_and_names_who_needs_help(desk: Desk) -> None:
    page = desk.page
    house = desk.house
    args = {"status": "actual", "severity": "severe", "headline": "Storm"}
    desk.live.call(house._do, "alert.raise", args)
    house.alerts[0]["ledger"] |= {"written": 300, "received": 200, "seen": 100, "acknowledged": 500, "help": 1}
    house.reads["alert.ledger"] = [{"member": ANA, "nickname": "Ana", "state": "seen", "at": 1.0, "note": "left mast"}]
    desk.push()
    desk.button("Alerts 1").click()
    card = page.locator("#alert-cards .card")
    whole = "1,204 targeted = 4 unreachable + 100 queued + 300 written + 200 received + 100 seen + 500 acknowledged"
    card.get_by_text(whole).wait_for()
    assert card.locator("svg.ring").get_attribute("aria-label") == "500 of 1,204 people have read it"
    arcs = card.locator("svg circle[stroke-dasharray]").evaluate_all(
        "all => all.reduce((sum, one) => sum + parseFloat(one.getAttribute('stroke-dasharray')), 0)"
    )
    assert abs(arcs - 2 * 3.14159265 * 54) < 0.1, "the arcs close the ring"
    card.get_by_text("1 person needs help.").wait_for()
    card.get_by_role("button", name="Who needs help").click()
    page.locator("#names", has_text="left mast").get_by_text("Ana").wait_for()
    page.keyboard.press("Escape")
    card.get_by_role("button", name="All clear").click()
    page.locator("#order").get_by_label("Reason").fill("it has passed")
    page.locator("#order").get_by_role("button", name="All clear").click()
    page.locator("#toasts", has_text="alert.all_clear").wait_for()
    assert house.given[-1]["args"] == {"alert": "A001"}
    card.get_by_role("button", name="Update").click()
    page.locator("#order").get_by_label("New headline").fill("Storm, still")
    page.locator("#order").get_by_label("Reason").fill("longer")
    page.locator("#order").get_by_role("button", name="Update the alert").click()
    page.locator("#order").wait_for(state="hidden")
    assert house.given[-1]["args"] == {"alert": "A001", "changes": {"headline": "Storm, still", "text": ""}}
    house.alerts[0]["ledger"]["seen"] += 1
    desk.push()
    card.get_by_text("1,204 targeted ≠").wait_for()
    final = {**house.alerts[0]["ledger"], "rev": 1, "ack": "required"}
    house.alerts[0] |= {"state": "cleared", "rev": 2, "ack": "none", "final": final}
    desk.push()
    card.get_by_text("When it ended (version 1): 500 of 1,204 have read it, 1 asked for help.").wait_for()


def test_a_call_for_help_is_dealt_with_and_no_longer_called_out(desk: Desk) -> None:
    page, house = desk.page, desk.house
    desk.live.call(house._do, "alert.raise", {"status": "exercise", "severity": "severe", "headline": "Storm"})
    house.alerts[0]["ledger"] |= {"written": 1_098, "seen": 2, "help": 2}
    calling = {"state": "seen", "at": 1.0, "help": True, "helped": False}
    ana = {"member": ANA, "nickname": "Ana", "note": "left mast", **calling}
    house.reads["alert.ledger"] = [ana, {"member": ANA[:-1] + "B", "nickname": "Bo", "note": "", **calling}]
    desk.push()
    page.locator("#calls", has_text="2 people need help").get_by_role("button", name="Look").click()
    names = page.locator("#names")
    names.get_by_role("button", name="Dealt with: Ana").click()
    names.get_by_role("button", name="Dealt with: Ana").wait_for(state="detached")
    names.locator("li", has_text="Ana").get_by_text("dealt with").wait_for()
    assert house.given[-1]["name"] == "help.resolve"
    assert house.given[-1]["args"] == {"alert": "A001", "member": ANA}
    names.locator("#toasts").get_by_role("button", name="Undo").wait_for()
    desk.push()
    page.locator("#calls", has_text="1 person needs help").wait_for(state="attached")
    names.get_by_role("button", name="Dealt with: Bo").click()
    names.get_by_role("button", name="Dealt with").first.wait_for(state="detached")
    desk.push()
    page.locator("#calls").wait_for(state="hidden")
    house.alerts[0]["ledger"]["helped"] = 1
    desk.push()
    names.locator("#toasts", has_text="1 person needs help").wait_for()
    page.keyboard.press("Escape")
    desk.button("Alerts 1").click()
    page.locator("#alert-cards .card").get_by_text("1 person needs help; 1 call was dealt with.").wait_for()


def test_a_page_without_its_server_says_so_and_comes_back(desk: Desk) -> None:
    page = desk.page
    stop_the_clock(page)
    desk.push()
    page.get_by_text("Figures are live").wait_for()
    desk.house.down = True
    desk.live.call(desk.house.cut_all)
    page.get_by_role("alert").filter(has_text="What you see is old.").wait_for()
    page.get_by_text("Figures are", exact=False).filter(has_text="old").wait_for()
    assert "stale" in page.locator("body").get_attribute("class")
    desk.house.rooms["camp"]["online"] = 7
    desk.house.down = False
    page.locator("#connection-text", has_text="Live").wait_for()
    page.get_by_text("Figures are live").wait_for()
    people = page.locator("#rooms-body tr", has_text="Camp").locator("td").first
    expect(people).to_have_text("7", timeout=PATIENCE_MS)
    assert page.locator("#offline").is_hidden()


def test_acts_reports_people_and_the_ladder(desk: Desk) -> None:
    page = desk.page
    desk.house.reads = {
        "act.list": [{"act": "act_9", "name": "room.freeze", "args": {"room": "camp"}, "operator": "maria",
                      "reason": "fight",
                      "at": 1.0, "undo": "exact", "undo_until": None, "undone": False, "affected": 404}],
        "report.list": [{"report": "r1", "room": "camp", "seq": 4, "why": "insults", "at": 1.0}],
        "member.find": [{"member": ANA, "nickname": "Ana", "rooms": ["camp"]}],
    }  # fmt: skip
    desk.button("Acts and reports").click()
    page.get_by_role("button", name="Undo room.freeze").click()
    page.locator("#toasts", has_text="act.undo").wait_for()
    page.locator("#reports-list", has_text="insults").get_by_role("button", name="Done").click()
    page.locator("#toasts", has_text="report.resolve").wait_for()
    assert desk.house.given[-1]["args"] == {"report": "r1", "outcome": "done"}
    desk.button("House").click()
    page.get_by_label("Part of a name").fill("an")
    desk.button("Find").click()
    page.get_by_role("button", name="Ban Ana", exact=True).click()
    page.locator("#order", has_text="Cannot come back in the whole house.").wait_for()
    page.keyboard.press("Escape")
    page.locator("#ladder").get_by_role("button", name="Staff only").click()
    page.locator("#order").get_by_label("Reason").fill("raid")
    page.locator("#order").get_by_role("button", name="Lockdown 1").click()
    page.locator("#order-problem", has_text="Type STAFF ONLY exactly").wait_for()
    page.get_by_label("Type STAFF ONLY to confirm").fill("STAFF ONLY")
    page.locator("#order").get_by_role("button", name="Lockdown 1").click()
    page.locator("#toasts", has_text="house.lockdown").wait_for()
    with page.expect_download() as saved:
        desk.button("Save as a file").click()
    assert saved.value.suggested_filename == "timeline.jsonl"


def test_the_desk_can_be_read_and_used_by_everybody(desks: Callable[..., Desk], live: Any) -> None:
    live.call(live.house._do, "alert.raise", {"status": "exercise", "severity": "minor", "headline": "Practice"})
    live.house.role = "owner"
    live.house.furnish()
    desk = desks()
    page = desk.page

    def check(where: str, small: bool = True) -> None:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = (page.evaluate(UNNAMED), page.evaluate(CONTRAST), page.evaluate(SMALL) if small else [])
            assert found == ([], [], []), (where, scheme)

    check("the door")
    desk.sign_in()
    page.locator("#connection-text", has_text="Live").wait_for()
    for view in ("Overview", "Alerts 1", "Activity", "Acts and reports", "House", "Owner"):
        desk.button(view).click()
        page.set_viewport_size(POCKET)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= POCKET["width"], view
        check(view)
    desk.button("Overview").click()
    desk.open_room("Main Stage")
    check("a room")
    page.get_by_role("button", name="More about Ana").first.click()
    page.locator("#person-laid", has_text="Muted").wait_for()
    check("a person")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    desk.button("Raise an alert").click()
    check("the composer", small=False)
    desk.button("See what phones will show").click()
    page.get_by_label("Type DRILL to send it").wait_for()
    check("the preview", small=False)
    assert page.evaluate("() => document.querySelector('#raise').scrollWidth") <= POCKET["width"]
    assert page.get_by_role("heading", level=1).count() <= 1


def test_the_desk_by_keyboard(desks: Callable[..., Desk]) -> None:
    desk = desks()
    keys = desk.page.keyboard
    assert desk.page.evaluate("() => document.activeElement.id") == "sign-name"
    keys.type("maria")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    desk.page.locator("#connection-text", has_text="Live").wait_for()
    desk.page.locator("#rooms-body .room-name").first.focus()
    keys.press("Enter")
    desk.page.locator("#drawer-acts").get_by_role("button", name="Freeze").wait_for()
    desk.page.locator("#drawer-acts").get_by_role("button", name="Freeze").focus()
    desk.house.rooms["main-stage"]["online"] = 801
    desk.push()
    desk.page.locator("#drawer-state", has_text="801 people").wait_for()
    assert desk.page.evaluate("() => document.activeElement.dataset.act") == "room.freeze", (
        "news does not steal the focus"
    )
    keys.press("Enter")
    assert desk.page.evaluate("() => document.activeElement.id") == "field-reason"
    keys.type("by key")
    keys.press("Enter")
    desk.page.locator("#drawer-acts").get_by_role("button", name="Thaw").wait_for()
    assert desk.house.given[0]["reason"] == "by key"


def test_nothing_that_anybody_writes_runs_on_the_desk(desks: Callable[..., Desk], live: Any) -> None:
    house = live.house
    for n, payload in enumerate(PAYLOADS):
        house.rooms[f"r{n}"] = room(f"r{n}", n, title=payload, zone=payload, state=payload, code=payload)
        member = f"m_01K4{n:022d}"
        said = {"seq": n + 8, "ts": 1.0, "member": member, "nickname": payload, "text": payload, "badge": payload}
        house.messages["main-stage"].append({**said, "hidden": False, "deleted": False})
        house.members.append({"member": member, "nickname": payload, "badge": payload})
        house.note(payload, payload, room=payload, operator=payload)
        live.call(house._do, "alert.raise", {"status": payload, "severity": payload, "headline": payload})
        house.alerts[-1]["rooms"] = {payload: {"targeted": 1}}
    row = {"why": payload, "text": payload, "room": payload}
    house.reads = {
        "act.list": [{"act": f"a{n}", "name": p, "args": {p: p}, "operator": p, "reason": p, "at": 1}
                     for n, p in enumerate(PAYLOADS)],
        "report.list": [{**row, "report": f"r{n}", "why": p, "seq": n, "at": 1} for n, p in enumerate(PAYLOADS)],
        "member.find": [{"member": ANA, "nickname": p, "rooms": [p]} for n, p in enumerate(PAYLOADS)],
        "alert.ledger": [{"member": p, "nickname": p, "state": p, "note": p} for p in PAYLOADS],
        "operator.list": [{"name": p, "role": p, "disabled": p, "seen": 1.0} for p in PAYLOADS],
        "session.list": [{"session": p, "operator": p, "role": p, "address": p, "created": 1.0} for p in PAYLOADS],
        "audit.page": [{"row": n, "at": 1.0, "operator": p, "address": p, "command": p, "args": {p: p}, "reason": p,
                        "result": p} for n, p in enumerate(PAYLOADS)],
    }  # fmt: skip
    laid = [{"kind": p, "member": ANA, "address": p, "room": p, "until": None, "reason": p, "act": p} for p in PAYLOADS]
    asks = {"pending": "p_1", "expires": 1_790_000_055.0, "name": "room.evacuate", "args": {PAYLOADS[1]: PAYLOADS[0]}}
    house.note("act", "asks", operator=PAYLOADS[0], data={**asks, "reason": PAYLOADS[1]})
    house.role = "owner"
    house.details = {
        "operator.list": {"tokens": [{"token": p, "name": p, "role": p, "author": p} for p in PAYLOADS]},
        "house.show": {"sanctions": laid, "sanctions_total": len(laid)},
        "member.show": {"nickname": PAYLOADS[0], "badge": PAYLOADS[1], "rooms": list(PAYLOADS), "sanctions": laid},
        "audit.verify": {"whole": False, "items": [{"row": p, "what": p} for p in PAYLOADS]},
    }  # fmt: skip
    desk = desks()
    desk.sign_in()
    page = desk.page
    page.locator("#rooms-body", has_text=PAYLOADS[-1]).wait_for()
    page.locator("#waiting", has_text=PAYLOADS[0]).wait_for()
    desk.open_room("Main Stage").get_by_text(PAYLOADS[0], exact=True).first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Alerts").first.click()
    page.locator("#alert-cards .card").first.get_by_role("button", name="Who needs help").click()
    page.locator("#names", has_text=PAYLOADS[1]).wait_for()
    page.keyboard.press("Escape")
    for view in ("Activity", "Acts and reports", "Owner", "House"):
        desk.button(view).click()
        if view == "Owner":
            desk.button("Verify").click()
            page.locator("#audit-whole", has_text="NOT whole").wait_for()
            page.locator("#tokens-list", has_text=PAYLOADS[-1]).wait_for()
    page.locator("#laid-list", has_text=PAYLOADS[-1]).wait_for()
    page.get_by_label("Part of a name").fill("x")
    desk.button("Find").click()
    page.locator("#found", has_text=PAYLOADS[2]).wait_for()
    page.locator("#found").get_by_role("button", name="More about").first.click()
    page.locator("#person-laid", has_text=PAYLOADS[-1]).wait_for()
    page.keyboard.press("Escape")
    desk.button("Raise an alert").click()
    page.get_by_label("Headline", exact=True).fill(PAYLOADS[1])
    page.get_by_label("Text", exact=True).fill(PAYLOADS[0])
    desk.button("See what phones will show").click()
    page.locator("#raise-phone", has_text=PAYLOADS[1]).wait_for()
    assert page.locator(f"#desk :is(ul, table, dl) {ELEMENTS}, dialog :is(ul, article) {ELEMENTS}").count() == 0
    assert page.evaluate("() => [window.__xss, window.violations]") == [None, None]
