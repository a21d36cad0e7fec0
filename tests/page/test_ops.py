"""The operators' page in a real browser, against a server that speaks the admin channel and can be made to go away."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.client.live import LiveHouse
from tests.page.conftest import PHONE, serve_page
from tests.page.fake_admin import PASSWORD, FakeAdmin, room
from tests.page.hostile import ELEMENTS, PAYLOADS, WATCH
from tests.page.test_access import CONTRAST, UNNAMED
from tests.page.test_access import SMALL as TOO_SMALL

pytestmark = pytest.mark.browser

# A box to tick is as large as the label around it.
SMALL = TOO_SMALL.replace("e.checkVisibility()", "e.checkVisibility() && !e.closest('label.pick')")
ANA = "m_01K4AAAAAAAAAAAAAAAAAAAAAA"


class Desk:
    """An operator's browser; `page` is signed in after `sign_in`."""

    def __init__(self, browser: Any, live: Any, path: str = "ops", **more: Any) -> None:
        self.live, self.house = live, live.house
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", **more)
        self.context.add_init_script(f"({WATCH})()")
        self.page = self.context.new_page()
        self.page.set_default_timeout(8_000)
        self.complaints: list[str] = []
        self.page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(live.url + path)

    def sign_in(self, password: str = PASSWORD) -> None:
        self.page.get_by_role("textbox", name="Operator").fill("maria")
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def open_room(self, title: str) -> Any:
        self.page.locator("#rooms-body").get_by_role("button", name=title).click()
        drawer = self.page.locator("#drawer")
        drawer.get_by_role("button", name="Freeze").or_(drawer.get_by_role("button", name="Thaw")).wait_for()
        return drawer

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
def desks(browser: Any, live: LiveHouse) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(path: str = "ops", **more: Any) -> Desk:
        made.append(Desk(browser, live, path, **more))
        return made[-1]

    yield make
    said = [line for each in made for line in each.complaints if "WebSocket connection to" not in line]
    violations = [each.page.evaluate("() => window.violations ?? []") for each in made]
    for each in made:
        each.context.close()
    assert (said, [found for found in violations if found]) == ([], [])


@pytest.fixture
def desk(desks: Callable[..., Desk]) -> Desk:
    made = desks()
    made.sign_in()
    made.page.locator("#connection-text", has_text="Live").wait_for()
    return made


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
    assert "frozen" not in page.locator("#rooms-body").inner_text()


def test_an_order_whose_answer_was_lost_is_given_again_and_done_once(desk: Desk) -> None:
    desk.house.lose_answers = 1
    drawer = desk.open_room("Camp")
    drawer.get_by_role("button", name="Freeze").click()
    desk.page.locator("#order").get_by_label("Reason").fill("quiet")
    desk.page.locator("#order").get_by_role("button", name="Freeze this room").click()
    drawer.get_by_role("button", name="Thaw").wait_for(timeout=15_000)
    desk.page.locator("#toasts", has_text="Done: room.freeze camp").wait_for()
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
    card.get_by_text("1 need help.").wait_for()
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


def test_a_page_without_its_server_says_so_and_comes_back(desk: Desk) -> None:
    page = desk.page
    page.get_by_text("Figures are live").wait_for()
    desk.house.down = True
    desk.live.call(desk.house.cut_all)
    page.get_by_role("alert").filter(has_text="What you see is old.").wait_for()
    page.get_by_text("Figures are", exact=False).filter(has_text="old").wait_for()
    assert "stale" in page.locator("body").get_attribute("class")
    desk.house.rooms["camp"]["online"] = 7
    desk.house.down = False
    page.locator("#connection-text", has_text="Live").wait_for(timeout=40_000)
    page.get_by_text("Figures are live").wait_for()
    assert page.locator("#rooms-body tr", has_text="Camp").locator("td").first.inner_text() == "7"
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


def test_a_viewer_sees_and_cannot_touch(desks: Callable[..., Desk], live: Any) -> None:
    live.house.role = "viewer"
    desk = desks()
    desk.sign_in()
    desk.page.get_by_text("maria, viewer").wait_for()
    assert desk.button("Raise an alert").is_hidden()
    desk.page.locator("#rooms-body").get_by_role("button", name="Main Stage").click()
    desk.page.locator("#drawer", has_text="buy my tent").wait_for()
    assert desk.page.locator("#drawer-acts button, #drawer .line-buttons button:visible").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_desk_can_be_read_and_used_by_everybody(scheme: str, desks: Callable[..., Desk], live: Any) -> None:
    live.call(live.house._do, "alert.raise", {"status": "exercise", "severity": "minor", "headline": "Practice"})
    desk = desks(color_scheme=scheme)
    page = desk.page
    assert (page.evaluate(UNNAMED), page.evaluate(CONTRAST), page.evaluate(SMALL)) == ([], [], [])
    desk.sign_in()
    page.locator("#connection-text", has_text="Live").wait_for()
    for view in ("Overview", "Alerts 1", "Activity", "Acts and reports", "House"):
        desk.button(view).click()
        page.set_viewport_size(PHONE)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= PHONE["width"], view
        assert (page.evaluate(UNNAMED), page.evaluate(CONTRAST), page.evaluate(SMALL)) == ([], [], []), view
    desk.button("Overview").click()
    desk.open_room("Main Stage")
    assert (page.evaluate(UNNAMED), page.evaluate(CONTRAST), page.evaluate(SMALL)) == ([], [], [])
    page.keyboard.press("Escape")
    desk.button("Raise an alert").click()
    assert (page.evaluate(UNNAMED), page.evaluate(CONTRAST)) == ([], [])
    desk.button("See what phones will show").click()
    page.get_by_label("Type DRILL to send it").wait_for()
    assert (page.evaluate(UNNAMED), page.evaluate(CONTRAST)) == ([], [])
    assert page.evaluate("() => document.querySelector('#raise').scrollWidth") <= PHONE["width"]
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
    desk.push()
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
        "member.find": [{"member": f"m{n}", "nickname": p, "rooms": [p]} for n, p in enumerate(PAYLOADS)],
        "alert.ledger": [{"member": p, "nickname": p, "state": p, "note": p} for p in PAYLOADS],
    }  # fmt: skip
    desk = desks()
    desk.sign_in()
    page = desk.page
    page.locator("#rooms-body", has_text=PAYLOADS[-1]).wait_for()
    desk.open_room("Main Stage").get_by_text(PAYLOADS[0], exact=True).first.wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Alerts").first.click()
    page.locator("#alert-cards .card").first.get_by_role("button", name="Who needs help").click()
    page.locator("#names", has_text=PAYLOADS[1]).wait_for()
    page.keyboard.press("Escape")
    for view in ("Activity", "Acts and reports", "House"):
        desk.button(view).click()
    page.get_by_label("Part of a name").fill("x")
    desk.button("Find").click()
    page.locator("#found", has_text=PAYLOADS[2]).wait_for()
    desk.button("Raise an alert").click()
    page.get_by_label("Headline", exact=True).fill(PAYLOADS[1])
    page.get_by_label("Text", exact=True).fill(PAYLOADS[0])
    desk.button("See what phones will show").click()
    page.locator("#raise-phone", has_text=PAYLOADS[1]).wait_for()
    assert page.locator(f"#desk :is(ul, table, dl) {ELEMENTS}, dialog :is(ul, article) {ELEMENTS}").count() == 0
    assert page.evaluate("() => [window.__xss, window.violations]") == [None, None]
