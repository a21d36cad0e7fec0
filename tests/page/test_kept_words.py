"""What somebody has typed is theirs: it goes out, or it comes back to them."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from gateway.protocol import client
from tests.client.fake_server import no
from tests.client.live import LiveHouse
from tests.page.conftest import PATIENCE_MS, Phone, stop_the_clock

pytestmark = pytest.mark.browser

BO = "m_01K4AAAAAAAAAAAAAAAAAAAAAB"


def stage(live: LiveHouse) -> Any:
    return live.house.room("blue-stage")


def said(live: LiveHouse) -> list[str]:
    return [entry.text for entry in stage(live).entries]


def knock(phone: Phone, room: str = "blue-stage") -> None:
    """Comes in, whether or not anybody answers."""
    phone.page.get_by_label("Your name").fill("Ana")
    phone.page.get_by_label("Room or code").fill(room)
    phone.page.get_by_role("button", name="Come in").click()
    phone.page.get_by_label("Your message").wait_for()


def start_editing(phone: Phone, text: str) -> Any:
    phone.message(text).get_by_role("button", name="Actions for").click()
    phone.message(text).get_by_role("button", name="Edit").click()
    return phone.page.get_by_label("Your message")


def holds(field: Any, text: str) -> None:
    """Soon: that an edit is stored is heard with the log, and after that as an answer."""
    expect(field).to_have_value(text, timeout=PATIENCE_MS)


def test_what_is_said_on_the_way_into_a_room_waits_over_a_reload_and_goes_once(phone: Phone, live: LiveHouse) -> None:
    """On a bad network "help, somebody fell" was taken out of the field and thrown away: there was no outbox yet."""
    live.house.silent = True
    knock(phone, "blue-stage-42")
    phone.say("help, somebody fell at gate B")
    assert phone.message("help, somebody fell at gate B").locator(".mark").inner_text() == "waiting"
    assert phone.page.get_by_label("Your message").input_value() == ""
    phone.page.reload()
    phone.message("help, somebody fell at gate B").wait_for()
    live.house.silent = False
    phone.page.reload()
    phone.message("help, somebody fell at gate B").get_by_label("stored").wait_for()
    phone.page.reload()
    phone.live_now()
    assert said(live) == ["help, somebody fell at gate B"]
    assert phone.page.locator("#pending .message").count() == 0


def test_what_is_said_after_a_change_of_room_without_a_network_goes_to_that_room(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    phone.say("for the blue stage")
    phone.page.get_by_role("button", name="Menu").click()
    phone.page.get_by_role("button", name="Go to another room").click()
    phone.page.get_by_text("1 message to Blue Stage is not sent. It is kept on this phone").wait_for()
    knock(phone, "main-stage")
    phone.say("for the main stage")
    assert phone.page.locator("#pending .text").all_inner_texts() == ["for the main stage"]
    phone.go_online()
    phone.page.evaluate("() => document.querySelector('#retry').click()")
    phone.message("for the main stage").get_by_label("stored").wait_for()
    assert [entry.text for entry in live.house.room("main-stage").entries] == ["for the main stage"]
    phone.page.goto(live.url + "#room=blue-stage")
    phone.message("for the blue stage").get_by_label("stored").wait_for()
    assert said(live) == ["for the blue stage"]


def test_an_edit_without_a_network_stays_in_the_field(phone: Phone, live: LiveHouse) -> None:
    """It left the field, and a minute later the page said "you are offline": the new words were gone."""
    phone.come_in()
    phone.say("meet at the oka")
    phone.message("meet at the oka").get_by_label("stored").wait_for()
    phone.page.get_by_label("Your message").fill("half a thought")
    field = start_editing(phone, "meet at the oka")
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    phone.say("meet at the oak")
    phone.page.locator("#composer-problem", has_text="You are offline: nothing is changed yet.").wait_for()
    assert field.input_value() == "meet at the oak"
    phone.go_online()
    phone.page.evaluate("() => document.querySelector('#retry').click()")
    phone.live_now()
    field.press("Enter")
    phone.message("meet at the oak").get_by_text("edited").wait_for()
    holds(field, "half a thought")  # What was begun before the edit.
    assert phone.page.locator("#context").is_hidden()


def test_an_edit_that_is_refused_stays_in_the_field_with_the_reason(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.say("first")
    phone.message("first").get_by_label("stored").wait_for()
    live.house.refuse = lambda frame: no(frame, "muted") if isinstance(frame, client.Edit) else None
    field = start_editing(phone, "first")
    phone.say("second")
    phone.page.locator("#composer-problem", has_text="muted it is").wait_for()
    assert field.input_value() == "second"
    phone.page.get_by_role("button", name="Stop replying or editing").click()
    assert field.input_value() == ""


def test_an_edit_whose_connection_breaks_is_made_once_or_stays_in_the_field(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.say("first")
    phone.message("first").get_by_label("stored").wait_for()
    stop_the_clock(phone.page)  # It is given up after ten seconds.
    lost: list[str] = []

    def lose(text: str) -> list[Any] | None:
        if json.loads(text)["type"] != "edit":
            return None
        lost.append(text)
        return []

    live.house.overhear = lose
    field = start_editing(phone, "first")
    phone.say("second")
    phone.until(lambda: bool(lost))
    phone.page.locator("#context-kind", has_text="Changing your message …").wait_for()
    assert field.input_value() == "second", "until it is known to be stored"
    live.house.overhear = lambda text: None
    live.call(live.house.cut_all)
    phone.message("second").get_by_text("edited").wait_for()
    holds(field, "")
    assert len(stage(live).entries) == 2


def test_an_edit_begun_puts_nothing_in_place_of_what_was_typed(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.say("old words")
    phone.message("old words").get_by_label("stored").wait_for()
    phone.page.get_by_label("Your message").fill("a long thought")
    field = start_editing(phone, "old words")
    assert field.input_value() == "old words"
    phone.page.get_by_role("button", name="Stop replying or editing").click()
    assert field.input_value() == "a long thought"


def test_an_edit_begun_is_no_new_message_after_a_reload(phone: Phone, live: LiveHouse) -> None:
    """The line held the edit's words with nothing said of an edit: Enter said them as something new."""
    phone.come_in()
    phone.say("meet at the oka")
    phone.message("meet at the oka").get_by_label("stored").wait_for()
    start_editing(phone, "meet at the oka").fill("meet at the oak")
    phone.page.reload()
    phone.live_now()
    assert phone.page.get_by_label("Your message").input_value() == ""


def test_two_tabs_take_no_draft_from_each_other(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    other = phone.open("#room=blue-stage")
    phone.page.get_by_label("Your message").fill("a long thought")
    other.get_by_label("Your message").fill("yes")
    other.get_by_label("Your message").press("Enter")
    phone.message("yes").wait_for()
    phone.page.wait_for_function("() => localStorage.getItem('bandstand.draft') === '\"a long thought\"'")
    other.get_by_label("Your message").fill("no")
    phone.page.get_by_label("Your message").fill("a longer thought")
    other.wait_for_function("() => localStorage.getItem('bandstand.draft').includes('longer')")
    phone.page.close()
    other.get_by_label("Your message").press("Enter")
    other.locator(".message", has_text="no").wait_for()
    other.reload()
    phone.page = other
    assert other.get_by_label("Your message").input_value() == "a longer thought"


def test_what_was_typed_and_not_sent_is_there_after_the_phone_has_closed_the_page(
    phone: Phone, live: LiveHouse
) -> None:
    phone.come_in()
    phone.page.get_by_label("Your message").fill("a long thought")
    again = phone.open("#room=blue-stage")
    phone.page.close()
    phone.page = again
    phone.live_now()
    assert phone.page.get_by_label("Your message").input_value() == "a long thought"
    phone.page.get_by_label("Your message").press("Enter")
    phone.message("a long thought").get_by_label("stored").wait_for()
    phone.page.reload()
    phone.live_now()
    assert phone.page.get_by_label("Your message").input_value() == ""


def test_an_answer_begun_in_one_room_is_no_answer_in_another(phone: Phone, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "who has a tent?", BO)
    phone.come_in()
    phone.message("who has a tent?").get_by_role("button", name="Actions for").click()
    phone.message("who has a tent?").get_by_role("button", name="Reply").click()
    phone.page.get_by_label("Your message").fill("I do")
    phone.page.get_by_role("button", name="Menu").click()
    phone.page.get_by_role("button", name="Go to another room").click()
    phone.come_in(room="main-stage")
    assert phone.page.locator("#context").is_hidden()
    assert phone.page.get_by_label("Your message").input_value() == "I do"
    phone.page.get_by_label("Your message").press("Enter")
    phone.message("I do").get_by_label("stored").wait_for()
    assert live.house.room("main-stage").entries[0].reply_to is None


def test_letters_behind_one_of_an_earlier_identity_go_and_that_one_can_be_sent_again(
    phone: Phone, live: LiveHouse
) -> None:
    """The first failed, and those behind it waited for ever; its "Try again" could only fail the same way."""
    phone.come_in()
    live.house.overhear = lambda text: [] if json.loads(text)["type"] == "send" else None
    phone.say("on its way")
    phone.page.locator("#pending", has_text="sending").wait_for()
    phone.say("second")
    phone.say("third")
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    live.house.overhear = lambda text: None
    live.call(live.house.members.clear)
    live.house.members["token-m_other"] = "Bo"
    phone.go_online()
    phone.page.evaluate("() => document.querySelector('#retry').click()")
    phone.message("third").get_by_label("stored").wait_for()
    assert said(live) == ["second", "third"]
    phone.message("on its way").get_by_text("not sent: ").wait_for()
    phone.page.get_by_role("button", name="Try again").click()
    phone.message("on its way").get_by_label("stored").wait_for()
    assert said(live) == ["second", "third", "on its way"]
    phone.page.reload()
    phone.live_now()
    assert phone.page.locator("#pending .message").count() == 0


def test_words_that_wait_are_shown_when_a_room_has_begun_anew(phone: Phone, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "of old", BO)
    phone.come_in()
    live.house.refuse = lambda frame: no(frame, "muted") if isinstance(frame, client.Send) else None
    phone.say("not taken")
    phone.page.get_by_text("not sent: muted it is").wait_for()

    def anew() -> None:
        stage(live).begin_anew("2m3250v002t4")
        stage(live).say("Bo", "of now", BO)
        live.house.cut_all()

    live.call(anew)
    phone.message("of now").wait_for()
    assert phone.message("not taken").get_by_role("button", name="Try again").is_visible()


def test_what_comes_of_a_letter_is_not_shown_in_another_room(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    asked: list[Any] = []

    def hold(text: str) -> list[Any] | None:
        frame = json.loads(text)
        if frame["type"] == "send":
            asked.append(frame["id"])
        return [] if frame["type"] == "send" else None

    live.house.overhear = hold
    phone.say("for the blue stage")
    phone.until(lambda: bool(asked))
    phone.page.goto(live.url + "#room=main-stage")
    phone.page.get_by_role("heading", name="Main Stage").wait_for()
    phone.live_now()
    refused = {"type": "error", "re": asked[0], "code": "muted", "message": "muted", "retry": False, "scope": "frame"}
    live.call(live.house.say_all, refused)
    live.call(live.house.room("main-stage").say, "Bo", "after it", BO)
    phone.message("after it").wait_for()
    assert phone.page.locator("#pending .message").count() == 0


def test_a_word_of_the_organisers_to_one_person_stays_until_it_is_closed(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    live.call(live.house.say_all, {"type": "note", "ts": 1_790_000_000.0, "text": "Your bag is at the info tent."})
    note = phone.page.locator("#notes", has_text="Your bag is at the info tent.")
    note.wait_for()
    phone.page.reload()
    note.get_by_role("button", name="Close").click()
    note.wait_for(state="hidden")
    phone.page.reload()
    phone.live_now()
    assert note.is_hidden()


def test_a_word_of_the_organisers_to_one_person_is_not_shown_to_the_next(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    live.call(live.house.say_all, {"type": "note", "ts": 1_790_000_000.0, "text": "Your bag is at the info tent."})
    note = phone.page.locator("#notes", has_text="Your bag is at the info tent.")
    note.wait_for()

    def forget_who_it_was() -> None:
        live.house.members.clear()
        live.house.members["token-m_other"] = "Bo"
        live.house.cut_all()

    live.call(forget_who_it_was)
    phone.until(lambda: len(live.house.members) == 2)
    phone.live_now()
    note.wait_for(state="hidden")
    phone.page.reload()
    phone.live_now()
    assert note.is_hidden()
