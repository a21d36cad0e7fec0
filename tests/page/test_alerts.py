"""Alerts on an attendee's phone: above everything, answered, kept over reloads, withdrawn; and what the house does."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.live import LiveHouse
from tests.page.conftest import Phone, stop_the_clock
from tests.page.hostile import ELEMENTS, PAYLOADS, WATCH
from tests.page.test_access import CONTRAST, SMALL, UNNAMED

pytestmark = pytest.mark.browser

BO = "m_01K4AAAAAAAAAAAAAAAAAAAAAB"
NOW = 1_790_000_000.0
"""The fake server's clock."""


def alert(**more: Any) -> dict[str, Any]:
    return {
        "type": "alert", "id": "A017", "rev": 1, "kind": "alert", "status": "actual", "severity": "extreme",
        "urgency": "immediate", "certainty": "observed", "response": "evacuate", "all": True, "sent": NOW,
        "info": {"en": {"headline": "Go north now", "text": "Walk to the north gate."}}, "expires": NOW + 3_600,
        "ack": "required", "remind_s": 60, "receipt_spread_ms": 0, **more,
    }  # fmt: skip


ANSWERED = "() => Object.keys(localStorage).every(key => !key.startsWith('bandstand.receipt.'))"
"""What the page had to tell of alerts has arrived, and it knows."""


class Ear:
    """Answers what the real server would, and keeps what was told to it."""

    def __init__(self, live: LiveHouse) -> None:
        self.live = live
        self.receipts: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.deaf = False
        live.house.overhear = self.overhear

    def overhear(self, text: str) -> list[Any] | None:
        frame = json.loads(text)
        if frame["type"] not in ("alert_receipt", "report"):
            return None
        if self.deaf:
            return []
        (self.receipts if frame["type"] == "alert_receipt" else self.reports).append(frame)
        return [{"type": "ok", "re": frame["id"]}]

    def states(self) -> list[str]:
        return [receipt["state"] for receipt in self.receipts]

    def say(self, frame: dict[str, Any]) -> None:
        self.live.call(self.live.house.say_all, frame)


@pytest.fixture
def ear(live: LiveHouse) -> Ear:
    return Ear(live)


def banner(phone: Phone) -> Any:
    return phone.page.locator("#alerts .alert")


def test_an_alert_covers_the_top_and_is_answered(phone: Phone, ear: Ear) -> None:
    phone.come_in()
    ear.say(alert())
    words = phone.page.get_by_role("alert").filter(has_text="Go north now")
    words.wait_for()
    assert words.get_attribute("aria-live") == "assertive"
    assert "Extreme danger" in words.inner_text()
    assert "DRILL" not in banner(phone).inner_text()
    assert phone.page.locator("#alerts").bounding_box()["y"] == 0
    assert phone.page.locator(".top").bounding_box()["y"] >= phone.page.locator("#alerts").bounding_box()["height"] - 1
    phone.until(lambda: ear.states() == ["received", "seen"])
    ear.say(alert())
    phone.page.wait_for_timeout(100)
    assert banner(phone).count() == 1
    phone.page.get_by_role("button", name="I have read this").click()
    phone.until(lambda: ear.states() == ["received", "seen", "acknowledged"])
    banner(phone).get_by_text("Walk to the north gate.").wait_for(state="hidden")
    assert banner(phone).get_by_text("Go north now").is_visible(), "it stays until it is withdrawn"
    phone.page.reload()
    phone.live_now()
    assert banner(phone).get_by_text("Go north now").is_visible() is False, "the server lists none any more"
    ear.say({"type": "alert_over", "id": "A017", "rev": 1, "why": "cancelled"})


def test_help_is_called_with_a_note_and_again_after_a_reconnect_until_it_is_answered(phone: Phone, ear: Ear) -> None:
    phone.come_in()
    phone.page.evaluate("() => { Math.random = () => 0.5; }")  # In ten minutes at random is now and then at once.
    ear.say(alert(receipt_spread_ms=600_000))
    banner(phone).wait_for()
    ear.deaf = True
    phone.page.get_by_role("button", name="I need help").click()
    phone.page.get_by_label("Where are you").fill("under the left mast")
    phone.page.get_by_role("button", name="Call for help").click()
    banner(phone).get_by_text("Calling for help").wait_for()
    assert ear.receipts == []
    ear.deaf = False
    ear.live.house.alerts = (alert(receipt_spread_ms=600_000),)
    ear.live.call(ear.live.house.cut_all)
    banner(phone).get_by_text("Your call for help has arrived").wait_for()
    assert [(told["state"], told["note"], told["rev"]) for told in ear.receipts] == [("help", "under the left mast", 1)]


def test_it_stays_over_a_reload_and_goes_when_it_is_withdrawn_or_its_time_is_over(phone: Phone, ear: Ear) -> None:
    ear.live.house.alerts = (alert(),)
    phone.come_in()
    banner(phone).wait_for()
    phone.until(lambda: "seen" in ear.states())
    phone.page.wait_for_function(ANSWERED)
    ear.live.house.down = True
    stop_the_clock(phone.page)
    phone.page.reload()
    assert banner(phone).get_by_text("Go north now").is_visible(), "known without any server"
    ear.live.house.down = False
    phone.live_now()
    phone.page.wait_for_timeout(100)
    assert ear.states() == ["received", "seen"], "what was answered is not told again"
    ear.say(alert(rev=2, kind="update", info={"en": {"headline": "Use the south gate", "text": ""}}))
    banner(phone).get_by_text("Use the south gate").wait_for()
    ear.say({"type": "alert_over", "id": "A017", "rev": 2, "why": "cleared"})
    phone.page.get_by_text("“Use the south gate” is no longer in force. All clear.").wait_for()
    assert banner(phone).count() == 0
    ear.say(alert(id="A018", expires=NOW + 1.0, info={"en": {"headline": "Short", "text": ""}}))
    banner(phone).get_by_text("Short").wait_for()
    phone.page.evaluate("() => letPass(1_000)")
    banner(phone).wait_for(state="detached")
    ear.say(alert(id="A019", rev=2, kind="all_clear", info={"en": {"headline": "It is over", "text": "Enjoy."}}))
    ear.say({"type": "alert_over", "id": "A019", "rev": 2, "why": "cleared"})
    banner(phone).get_by_text("It is over").wait_for()
    phone.page.get_by_role("button", name="I have read this").click()
    banner(phone).wait_for(state="detached")


@pytest.mark.parametrize(("status", "word"), [("exercise", "DRILL"), ("test", "TEST")])
def test_a_drill_says_so_in_words_and_looks_different(status: str, word: str, phone: Phone, ear: Ear) -> None:
    phone.come_in()
    ear.say(alert())
    ear.say(alert(id="A018", status=status))
    drill = phone.page.locator(f'.alert[data-status="{status}"]')
    drill.get_by_text(word, exact=True).wait_for()
    assert "Nothing has happened" in drill.inner_text()
    ground = "e => getComputedStyle(e).backgroundColor"
    real = phone.page.locator('.alert[data-status="actual"]')
    assert drill.evaluate(ground) != real.evaluate(ground)
    assert real.get_by_text(word, exact=True).count() == 0


def test_alerts_can_be_read_and_used_by_everybody(another: Callable[..., Phone], live: LiveHouse) -> None:
    ear = Ear(live)
    live.house.alerts = tuple(
        alert(id=f"A{n}", severity=severity, status=status)
        for n, (severity, status) in enumerate(
            [
                ("extreme", "actual"),
                ("moderate", "actual"),
                ("minor", "actual"),
                ("severe", "exercise"),
                ("unknown", "test"),
            ]
        )
    )
    for scheme in ("light", "dark"):
        phone = another(color_scheme=scheme)
        phone.come_in()
        banner(phone).first.get_by_role("button", name="I need help").click()
        assert phone.page.evaluate(CONTRAST) == []
        assert phone.page.evaluate(UNNAMED) == []
        assert phone.page.evaluate(SMALL) == []
        for width in (320, 1280):
            phone.page.set_viewport_size({"width": width, "height": 700})
            assert phone.page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert phone.page.get_by_label("Your message").is_visible(), "the room is still there below"
    phone.until(lambda: "received" in ear.states())


def entry(live: LiveHouse, kind: str, **fields: Any) -> None:
    room = live.house.room("blue-stage")

    def append() -> None:
        frame = {"type": kind, "room": room.name, "epoch": room.epoch, "seq": room.head + 1, "ts": NOW, **fields}
        room.entries.append(frame)
        for visit in room.visits:
            visit.cursor[room.name] = room.head
            visit.push(frame)

    live.call(append)


def test_what_the_house_does_in_a_room_is_shown(phone: Phone, live: LiveHouse, ear: Ear) -> None:
    room = live.house.room("blue-stage")
    live.call(room.say, "Bo", "first words", BO)
    live.call(room.say, "Bo", "secret address", BO)
    live.call(room.say, "Bo", "meet at the oak", BO)
    phone.come_in()
    page = phone.page
    phone.message("secret address").wait_for()
    entry(live, "hidden", target=2, reason="doxxing")
    phone.message("Hidden by the stewards").wait_for()
    assert "secret address" not in page.content()
    entry(live, "restored", target=2, text="secret address")
    phone.message("secret address").wait_for()
    entry(live, "pinned", target=3)
    page.locator("#pinned", has_text="meet at the oak").wait_for()
    entry(live, "notice", text="Doors close at ten.", badge="Stage crew")
    page.locator(".announcement", has_text="Doors close at ten.").get_by_text("Stage crew").wait_for()
    entry(live, "alert_notice", alert="A1", rev=1, headline="Storm", text="x", status="exercise")
    page.get_by_text("DRILL: Storm").wait_for()
    entry(live, "cleared", upto=3)
    page.get_by_text("Earlier messages were taken away").wait_for()
    assert page.locator("#messages .message").count() == 0
    assert page.locator("#pinned").is_hidden()
    staff = {"member": BO, "nickname": "Medic", "cid": "c1", "text": "are you well?", "badge": "staff"}
    entry(live, "message", **staff)
    phone.message("are you well?").get_by_text("staff").wait_for()
    entry(live, "moved", to="main-stage", reason="Too full here.")
    page.locator("#moved").get_by_text("This room moves to Main Stage. Too full here.").wait_for()
    page.locator("#moved").get_by_role("button", name="Go there").click()
    page.get_by_role("heading", name="Main Stage").wait_for()
    assert page.locator("#moved").is_hidden()


def test_a_message_can_be_reported_and_who_is_put_out_is_told_why(phone: Phone, live: LiveHouse, ear: Ear) -> None:
    live.call(live.house.room("blue-stage").say, "Bo", "buy my tent", BO)
    phone.come_in()
    phone.page.get_by_role("button", name="Actions for the message of Bo").click()
    phone.page.get_by_role("button", name="Report").click()
    dialog = phone.page.get_by_role("dialog")
    dialog.get_by_label("What is wrong").select_option("It is advertising or a swindle")
    dialog.get_by_role("button", name="Report").click()
    dialog.get_by_text("The stewards have it").wait_for()
    assert (ear.reports[0]["room"], ear.reports[0]["seq"]) == ("blue-stage", 1)
    assert ear.reports[0]["why"] == "It is advertising or a swindle"
    phone.page.keyboard.press("Escape")
    ear.say({"type": "note", "ts": NOW, "text": "Please stop selling <b>things</b>."})
    note = phone.page.locator("#notes", has_text="From the organisers: Please stop selling <b>things</b>.")
    note.get_by_role("button", name="Close").click()
    note.wait_for(state="hidden")
    ear.say({"type": "removed", "room": "blue-stage", "reason": "selling things", "until": NOW + 600})
    phone.page.get_by_text("You were taken out of Blue Stage: selling things").wait_for()
    assert phone.page.get_by_label("Your name").is_visible()
    phone.come_in()
    ear.say({"type": "removed", "room": "blue-stage", "reason": "Too full.", "until": None, "to": "main-stage"})
    phone.page.get_by_text("Blue Stage has moved to Main Stage. Too full. Come in there.").wait_for()
    phone.page.get_by_role("button", name="Come in").click()
    phone.page.get_by_role("heading", name="Main Stage").wait_for()


def test_the_rules_are_said_in_words(phone: Phone, live: LiveHouse, ear: Ear) -> None:
    phone.come_in()
    mode = phone.page.locator("#mode")
    rules = {
        "rev": 9,
        "frozen": False,
        "slow_s": 0.0,
        "max_members": 9,
        "history": 9,
        "presence": "auto",
        "expires": None,
    }
    entry(live, "policy", **rules, reason="The stage is full.", closed=True, lockdown=5, official=True)
    mode.get_by_text("This room is closed: nobody can come in. The stage is full.").wait_for()
    entry(live, "policy", **rules, reason="", closed=False, lockdown=1)
    mode.get_by_text("Only staff may speak now.").wait_for()
    entry(live, "policy", **{**rules, "frozen": True, "expires": NOW + 3_000}, reason="Listen.", lockdown=3)
    mode.get_by_text("links are off").wait_for()
    mode.get_by_text("Paused until").wait_for()
    ear.say({"type": "policy", "room": "blue-stage", **rules, "reason": ""})
    mode.wait_for(state="hidden")


def test_nothing_that_anybody_writes_runs(another: Callable[..., Phone], live: LiveHouse) -> None:
    Ear(live)
    phone = another()
    phone.page.add_init_script(f"({WATCH})()")
    phone.page.reload()

    def hostile() -> None:
        room = live.house.room("blue-stage")
        for n, payload in enumerate(PAYLOADS):
            room.say(payload[:32], payload, f"m_01K4{n:022d}")

    live.call(hostile)
    phone.come_in()
    phone.message(PAYLOADS[-1]).wait_for()
    for n, payload in enumerate(PAYLOADS):
        entry(live, "notice", text=payload, badge=payload)
        words = {"headline": payload, "text": payload}
        frame = alert(id=f"A{n}", severity=payload, status=["actual", "exercise", "test"][n % 3], info={payload: words})
        live.call(live.house.say_all, frame)
    live.call(live.house.room("blue-stage").set_rules, slow_s=1.0, reason=PAYLOADS[1])
    entry(live, "pinned", target=2)
    entry(live, "moved", to=PAYLOADS[0], reason=PAYLOADS[1])
    phone.page.locator("#moved").wait_for()
    phone.page.wait_for_function(f"() => document.querySelectorAll('.alert').length === {len(PAYLOADS)}")
    assert phone.page.locator(f"#messages {ELEMENTS}, #alerts :is(script, iframe, img, style)").count() == 0
    assert phone.page.evaluate("() => [window.__xss, window.violations]") == [None, None]
    assert phone.complaints == []


def test_a_call_for_help_that_is_being_written_outlives_a_new_revision(phone: Phone, ear: Ear) -> None:
    phone.come_in()
    ear.say(alert())
    phone.page.get_by_role("button", name="I need help").click()
    phone.page.get_by_label("Where are you").fill("under the left mast")
    ear.say(alert(rev=2, kind="update", info={"en": {"headline": "Use the south gate", "text": ""}}))
    banner(phone).get_by_text("Use the south gate").wait_for()
    assert phone.page.get_by_label("Where are you").input_value() == "under the left mast"
    phone.page.get_by_role("button", name="Call for help").click()
    banner(phone).get_by_text("Your call for help has arrived").wait_for()
    assert [(told["note"], told["rev"]) for told in ear.receipts if told["state"] == "help"] == [
        ("under the left mast", 2)
    ]


def test_an_alert_takes_nobody_away_from_the_newest_message(phone: Phone, live: LiveHouse) -> None:
    """When it came in the moment in which the page scrolled, the page took it for somebody reading further up."""
    live.call(
        lambda: [
            live.house.room("blue-stage").say("Bo", f"number {n}.", "m_01K4AAAAAAAAAAAAAAAAAAAAAB") for n in range(40)
        ]
    )
    phone.come_in()
    phone.message("number 39.").wait_for()
    phone.page.evaluate(
        "() => { const log = document.querySelector('#log'); log.scrollTop -= 1;"
        " document.querySelector('.top').style.paddingBottom = '200px'; }"
    )
    below = (
        "() => { const l = document.querySelector('#log'); return l.scrollHeight - l.scrollTop - l.clientHeight < 5; }"
    )
    phone.page.wait_for_function(below)
    live.call(live.house.room("blue-stage").say, "Bo", "look here", "m_01K4AAAAAAAAAAAAAAAAAAAAAB")
    phone.message("look here").wait_for()
    phone.page.wait_for_function(below)
