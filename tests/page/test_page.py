"""The attendee's page in a real browser, against a server that goes away when it is told to."""

from collections.abc import Callable
from typing import Any

import pytest

from gateway.protocol import client, orders, server
from gateway.protocol.codec import client_decoder
from tests.client.fake_server import Close, Fault, no
from tests.client.live import LiveHouse
from tests.page.conftest import Phone, stop_the_clock

pytestmark = pytest.mark.browser

BO = "m_01K4AAAAAAAAAAAAAAAAAAAAAB"


def stage(live: LiveHouse) -> Any:
    return live.house.room("blue-stage")


def texts(phone: Phone) -> list[str]:
    found: list[str] = phone.page.locator("#messages .message .text").all_inner_texts()
    return found


def test_join_by_code_talk_and_hear(phone: Phone, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "is anybody there?", BO)
    phone.come_in(room="Blue Stage 42")
    phone.page.get_by_role("heading", name="Blue Stage").wait_for()
    phone.message("is anybody there?").wait_for()
    phone.say("yes, me")
    own = phone.message("yes, me")
    own.get_by_label("stored").wait_for()
    assert "own" in own.get_attribute("class")
    live.call(stage(live).say, "Bo", "good", BO)
    phone.message("good").wait_for()
    assert texts(phone) == ["is anybody there?", "yes, me", "good"]
    assert phone.page.url.endswith("#room=blue-stage")
    assert [entry.text for entry in stage(live).entries] == ["is anybody there?", "yes, me", "good"]


def test_offline_is_said_words_wait_and_go_once_when_it_is_back(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.say("before")
    phone.message("before").get_by_label("stored").wait_for()
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    phone.say("first in the tunnel")
    phone.say("second in the tunnel")
    phone.page.get_by_text("2 waiting").wait_for()
    assert phone.page.locator("#pending .mark").all_inner_texts() == ["waiting", "waiting"]
    live.call(stage(live).say, "Bo", "meanwhile", BO)
    phone.page.get_by_role("button", name="Try now").wait_for()
    phone.go_online()
    phone.page.evaluate("() => document.querySelector('#retry').click()")
    phone.live_now()
    phone.message("second in the tunnel").get_by_label("stored").wait_for()
    expected = ["before", "meanwhile", "first in the tunnel", "second in the tunnel"]
    assert texts(phone) == expected == [entry.text for entry in stage(live).entries]
    assert phone.page.locator("#offline").is_hidden()


def test_trying_now_leaves_the_keyboard_where_it_was(phone: Phone, live: LiveHouse) -> None:
    """The button was disabled while it tried, and the focus fell to the top of the page."""
    phone.come_in()
    phone.go_offline()
    live.house.silent = True
    retry = phone.page.get_by_role("button", name="Try now")
    retry.wait_for()
    live.house.down = False
    retry.focus()
    retry.press("Enter")
    phone.page.locator("#connection-text", has_text="Connecting").wait_for()
    phone.page.locator("#retry:is(:disabled, [aria-disabled=true])").wait_for()
    assert phone.page.evaluate("() => document.activeElement.id") == "retry"


def test_a_question_while_the_line_is_closing_is_asked_when_it_is_back(phone: Phone, live: LiveHouse) -> None:
    """The close was heard and TCP was open still: asked again at once, for ever, nothing else could run on the page."""
    phone.come_in()
    live.call(live.house.say_all, Close(4100, held=True))
    phone.until(lambda: "closed 4100" in live.house.log)
    phone.page.get_by_role("button", name="person here").click()
    phone.page.get_by_role("dialog").get_by_text("Ana (you)").first.wait_for()


def test_what_is_not_sent_survives_a_reload(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    phone.say("keep me")
    phone.page.get_by_text("1 waiting").wait_for()
    phone.page.reload()
    phone.go_online()
    phone.live_now()
    phone.message("keep me").get_by_label("stored").wait_for()
    assert [entry.text for entry in stage(live).entries] == ["keep me"]
    phone.page.reload()
    phone.message("keep me").get_by_label("stored").wait_for()
    assert len(stage(live).entries) == 1


def test_what_was_on_its_way_at_a_reload_goes_again_under_the_same_name(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    decode = client_decoder()

    def store_and_fall_silent(text: str) -> list[Any] | None:
        frame = decode(text)
        if not isinstance(frame, client.Send):
            return None
        live.house.overhear = lambda text: None
        live.house.visits[0]._stalled = True
        live.house.visits[0]._store(frame, stage(live))
        return []

    live.house.overhear = store_and_fall_silent
    phone.say("on its way")
    phone.until(lambda: bool(stage(live).entries))
    assert phone.page.locator("#pending .mark").inner_text() == "sending"
    phone.page.reload()
    phone.message("on its way").get_by_label("stored").wait_for()
    assert [entry.text for entry in stage(live).entries] == ["on its way"]


def test_everything_said_meanwhile_is_there_afterwards_and_nothing_twice(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    live.call(stage(live).say, "Bo", "number 0.", BO)
    phone.message("number 0.").wait_for()
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    live.call(lambda: [stage(live).say("Bo", f"number {n}.", BO) for n in range(1, 100)])
    live.call(stage(live).set_rules, slow_s=3.0, reason="Slowly now.")
    live.house.faults.update({live.house.step + n: Fault.TWICE for n in range(20, 140)})
    phone.go_online()
    phone.live_now()
    phone.message("number 99.").wait_for()
    phone.page.locator("#messages", has_text="Slowly now.").wait_for()
    assert texts(phone) == [f"number {n}." for n in range(100)]
    assert phone.page.locator(".line-note").count() == 1
    assert phone.page.locator(".gap").count() == 0


def test_an_answer_that_was_lost_does_not_make_two_messages(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    once = [True]

    def cut_after_storing() -> None:
        def refuse(frame: Any) -> server.ErrorFrame | None:
            if isinstance(frame, client.Send) and once and once.pop():
                visit = live.house.visits[0]
                visit._store(frame, stage(live))
                visit.cut()
            return None

        live.house.refuse = refuse

    live.call(cut_after_storing)
    phone.say("only once")
    phone.message("only once").get_by_label("stored").wait_for()
    phone.live_now()
    assert texts(phone) == ["only once"]
    assert [entry.text for entry in stage(live).entries] == ["only once"]


def test_a_word_that_was_heard_back_waits_no_more_although_its_answer_was_lost(phone: Phone, live: LiveHouse) -> None:
    """Somebody whose connection went between the two was told of one message more than was waiting."""
    phone.come_in()
    decode = client_decoder()

    def store_without_answer(text: str) -> list[Any] | None:
        frame = decode(text)
        if not isinstance(frame, client.Send):
            return None
        live.house.visits[0]._store(frame, stage(live))
        return []

    live.house.overhear = store_without_answer
    phone.say("heard")
    phone.message("heard").get_by_label("stored").wait_for()
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    phone.say("not heard")
    phone.page.get_by_text("1 waiting").wait_for()


def test_close_codes_decide_whether_the_page_comes_back(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    arrivals = live.house.arrivals
    live.call(live.house.say_all, Close(4200, 100))
    phone.until(lambda: live.house.arrivals > arrivals)
    phone.live_now()
    live.call(live.house.say_all, Close(4409))
    phone.page.get_by_text("You are here in too many windows").wait_for()
    arrivals = live.house.arrivals
    phone.page.wait_for_timeout(1_500)
    assert live.house.arrivals == arrivals


def test_a_token_that_is_not_known_any_more_means_coming_in_as_somebody_new(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    live.call(live.house.members.clear)
    phone.page.reload()
    phone.live_now()
    phone.say("still here")
    phone.message("still here").get_by_label("stored").wait_for()


def test_another_name_for_the_same_person_and_another_room(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    phone.say("as Ana")
    phone.message("as Ana").get_by_label("stored").wait_for()
    phone.page.get_by_role("button", name="Menu").click()
    phone.page.get_by_text("Others come in with the code blue-stage-42").wait_for()
    phone.page.get_by_role("button", name="Come in under another name").click()
    phone.come_in("Anastasia")
    phone.say("as Anastasia")
    phone.message("as Anastasia").get_by_label("stored").wait_for()
    first, second = stage(live).entries
    assert (first.member, second.nickname) == (second.member, "Anastasia")
    phone.page.get_by_role("button", name="Menu").click()
    phone.page.get_by_role("button", name="Go to another room").click()
    phone.come_in("Anastasia", "main-stage")
    phone.page.get_by_role("heading", name="Main Stage").wait_for()
    assert texts(phone) == []
    phone.page.get_by_text("Nobody has said anything yet").wait_for()


def test_rules_are_shown_and_words_wait_for_them(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    live.call(stage(live).set_rules, slow_s=8.0, reason="Many at once.")
    phone.page.locator("#mode", has_text="one message every 8").wait_for()
    live.call(stage(live).set_rules, slow_s=0.0, frozen=True, reason="Listen to the stage.")
    phone.page.locator("#mode", has_text="Paused. Listen to the stage.").wait_for()
    phone.say("patient")
    phone.page.locator("#pending", has_text="patient").wait_for()
    phone.page.wait_for_timeout(300)
    assert not any("in Send" in line for line in live.house.log), "no use in asking while it is paused"
    live.call(stage(live).set_rules, frozen=False, reason="")
    phone.message("patient").get_by_label("stored").wait_for()
    assert phone.page.locator("#mode").is_hidden()


def test_a_refusal_is_shown_and_can_be_mended(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    live.house.refuse = lambda frame: no(frame, "muted") if isinstance(frame, client.Send) else None
    phone.say("let me speak")
    phone.page.get_by_text("not sent: muted it is").wait_for()
    live.house.refuse = lambda frame: None
    phone.page.get_by_role("button", name="Try again").click()
    phone.message("let me speak").get_by_label("stored").wait_for()


def test_reply_edit_delete_and_react(phone: Phone, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "who has a tent?", BO)
    phone.come_in()
    theirs = phone.message("who has a tent?")
    theirs.get_by_role("button", name="Actions for the message of Bo").click()
    theirs.get_by_role("button", name="Reply").click()
    phone.say("I do")
    mine = phone.message("I do")
    mine.get_by_label("stored").wait_for()
    assert "who has a tent?" in mine.locator(".quote").inner_text()
    assert stage(live).entries[1].reply_to == 1
    theirs.get_by_role("button", name="Actions for the message of Bo").click()
    theirs.get_by_role("button", name="React with 🎉").click()
    theirs.get_by_role("button", name="🎉 1").wait_for()
    mine.get_by_role("button", name="Actions for").click()
    mine.get_by_role("button", name="Edit").click()
    phone.say("I do, a green one")
    edited = phone.message("I do, a green one")
    edited.get_by_text("edited").wait_for()
    edited.get_by_role("button", name="Actions for").click()
    edited.get_by_role("button", name="Delete").click()
    phone.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    phone.message("This message was removed").wait_for()
    assert texts(phone) == ["who has a tent?", "This message was removed"]


def test_typing_and_people(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    stop_the_clock(phone.page)  # It is shown for a few seconds.
    typing = server.TypingFrame("blue-stage", BO, "Bo")
    live.call(live.house.say_all, typing)
    phone.page.get_by_text("Bo\u2069 is writing").wait_for()
    live.call(stage(live).say, "Bo", "there", BO)
    phone.message("there").wait_for()
    assert phone.page.locator("#typing").inner_text().strip() == ""
    phone.page.get_by_role("button", name="1 person here").click()
    phone.page.get_by_role("dialog").get_by_text("Ana (you)").wait_for()
    phone.page.keyboard.press("Escape")
    assert phone.page.get_by_role("dialog").is_hidden()


def test_the_past_is_loaded_and_the_page_stays_small(phone: Phone, live: LiveHouse) -> None:
    def much() -> None:
        for n in range(1, 601):
            stage(live).say("Bo", f"number {n}.", BO)

    live.call(much)
    phone.come_in()
    phone.message("number 600.").wait_for()
    count = "() => document.querySelectorAll('#messages > *').length"
    assert phone.page.evaluate(count) == 60
    for first in (491, 441, 391, 341, 291):
        phone.scroll_to(60)
        phone.message(f"number {first}.").wait_for(state="attached")
    assert phone.page.evaluate(count) <= 300
    assert phone.message("number 600.").count() == 0
    live.call(stage(live).say, "Bo", "number 601.", BO)
    phone.page.get_by_role("button", name="1 new").click()
    phone.message("number 601.").wait_for()
    seqs = phone.page.evaluate("() => [...document.querySelectorAll('#messages > *')].map(e => Number(e.dataset.seq))")
    assert seqs == list(range(seqs[0], 602))
    live.call(lambda: [stage(live).say("Bo", f"later {n}.", BO) for n in range(400)])
    phone.message("later 399.").wait_for()
    assert phone.page.evaluate(count) <= 300


def test_a_gap_is_a_line_and_can_be_filled(phone: Phone, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "one.", BO)
    phone.come_in()
    phone.message("one.").wait_for()

    def skip() -> None:
        stage(live).visits, visits = [], stage(live).visits
        stage(live).say("Bo", "two.", BO)
        stage(live).say("Bo", "three.", BO)
        stage(live).visits = visits
        visits[0].push(server.Gap("blue-stage", 2, 3, "too_many"))
        visits[0].cursor["blue-stage"] = 3
        stage(live).say("Bo", "four.", BO)

    live.call(skip)
    phone.page.get_by_text("2 messages are missing here").wait_for()
    phone.page.get_by_role("button", name="Load", exact=True).click()
    phone.message("three.").wait_for()
    assert texts(phone) == ["one.", "two.", "three.", "four."]
    assert phone.page.locator(".gap").count() == 0


def test_a_room_that_began_anew_is_shown_anew(phone: Phone, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "of old", BO)
    phone.come_in()
    phone.message("of old").wait_for()

    def anew() -> None:
        stage(live).begin_anew("2m3250v002t4")
        stage(live).say("Bo", "of now", BO)
        live.house.cut_all()

    live.call(anew)
    phone.message("of now").wait_for()
    assert texts(phone) == ["of now"]


def test_unread_is_counted_while_somebody_reads_above(phone: Phone, live: LiveHouse) -> None:
    live.call(lambda: [stage(live).say("Bo", f"number {n}.", BO) for n in range(40)])
    phone.come_in()
    phone.message("number 39.").wait_for()
    phone.scroll_to(300)
    phone.page.get_by_role("button", name="Newest").wait_for()
    live.call(stage(live).say, "Bo", "look here", BO)
    phone.page.get_by_role("button", name="1 new").click()
    phone.page.get_by_role("button", name="1 new").wait_for(state="hidden")
    assert phone.page.locator("#log").evaluate("l => l.scrollHeight - l.scrollTop - l.clientHeight") < 5


PAYLOADS = [
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    "<svg/onload=window.pwned=1>",
    '"><iframe srcdoc="<script>parent.pwned=1</script>">',
    "javascript:window.pwned=1",
    "</p></article><style>*{display:none}</style>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned=1}",
    "<a href='javascript:window.pwned=1'>x</a>",
    "\u202e<b>turned</b>\u202c",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=window.pwned=1&gt;'>",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
]


def test_whatever_people_write_is_text(phone: Phone, live: LiveHouse) -> None:
    def hostile() -> None:
        room = stage(live)
        for n, payload in enumerate(PAYLOADS):
            room.say(payload[:32], payload, f"m_01K4{n:022d}")
        room.set_rules(slow_s=1.0, reason=PAYLOADS[1])
        room.say("house", PAYLOADS[0], "house")
        room.reactions[1] = {PAYLOADS[1]: {"x"}}

    live.call(hostile)
    phone.come_in(nickname="<i>Ana</i>")
    phone.page.locator("#messages", has_text=PAYLOADS[-1]).wait_for()
    assert texts(phone) == PAYLOADS
    assert phone.page.locator("#messages .name").first.inner_text() == PAYLOADS[0][:32]
    for payload in PAYLOADS:
        live.call(live.house.say_all, server.TypingFrame("blue-stage", BO, payload))
    phone.page.locator("#messages").get_by_role("button", name="Actions").first.click()
    phone.page.get_by_role("button", name="Reply").click()
    assert phone.page.locator("#context-text").inner_text() == PAYLOADS[0]
    phone.say(PAYLOADS[1])
    phone.message(PAYLOADS[1]).last.get_by_label("stored").wait_for()
    phone.page.get_by_role("button", name="person here").click()
    phone.page.get_by_role("dialog").get_by_text("<i>Ana</i> (you)").wait_for()
    assert phone.page.evaluate("() => window.pwned") is None
    assert phone.page.locator("#messages :is(script, img, iframe, style, i, b, a)").count() == 0


@pytest.mark.parametrize("hash_", ["#room=<img src=x onerror=alert(1)>", "#code=blue-stage-42", "#room=blue-stage"])
def test_links_from_posters_lead_to_the_door_of_the_room(
    hash_: str, another: Callable[..., Phone], live: LiveHouse
) -> None:
    phone = another()
    phone.page.goto("about:blank")
    phone.page.goto(live.url + hash_)
    phone.page.get_by_label("Your name").fill("Ana")
    phone.page.get_by_role("button", name="Come in").click()
    if "<" in hash_:
        phone.page.get_by_text("A room is written with letters").wait_for()
    else:
        phone.live_now()
        assert phone.page.get_by_role("heading", level=1).inner_text() == "Blue Stage"
    assert phone.complaints == []


def test_what_the_page_does_not_know_is_ignored(phone: Phone, live: LiveHouse) -> None:
    phone.come_in()
    room = stage(live)

    def newer() -> None:
        live.house.say_all({"type": "weather", "id": "W1", "severity": "extreme"})
        live.house.say_all({"type": "alert", "id": "A1", "severity": "extreme"})
        pinned = {"type": "painted", "room": room.name, "epoch": room.epoch, "seq": 1, "ts": 1.0, "target": 1}
        room.entries.append(pinned)
        room.visits[0].cursor[room.name] = 1
        live.house.say_all(pinned)
        room.say("Bo", "after it", BO)

    live.call(newer)
    phone.message("after it").wait_for()
    assert phone.page.locator(".gap").count() == 0


def test_a_quoted_and_a_pinned_message_that_are_not_on_the_page_are_loaded_around(
    phone: Phone, live: LiveHouse
) -> None:
    """Both ways were offered and led nowhere: the page holds the last 60."""

    def fill() -> None:
        for n in range(1, 201):
            stage(live).say("Bo", f"number {n}.", BO)
        stage(live).add(server.MessageFrame, BO, "Bo", "quoting", text="as I said", reply_to=100)
        stage(live).add(orders.PinnedFrame, BO, 20)

    live.call(fill)
    phone.come_in()
    phone.message("as I said").locator(".quote").click()
    phone.page.wait_for_function("() => document.activeElement.innerText?.includes('number 100.')")
    assert phone.message("number 100.").is_visible()
    phone.page.get_by_role("button", name="Newest").click()
    phone.message("as I said").wait_for()
    phone.page.locator("#pinned", has_text="number 20.").get_by_role("button", name="Show").click()
    phone.page.wait_for_function("() => document.activeElement.innerText?.includes('number 20.')")
    assert phone.message("number 20.").is_visible()
    phone.scroll_to(0)
    phone.message("number 1.").wait_for()
    phone.say("still here")
    phone.message("still here").get_by_label("stored").wait_for()
    phone.page.wait_for_function(
        "() => document.querySelector('#messages').lastElementChild.innerText.includes('here')"
    )
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    phone.page.locator("#pinned").get_by_role("button", name="Show").click()
    phone.page.get_by_text("You are offline, and that message is not on this page.").wait_for()


def test_a_quoted_message_that_is_no_longer_kept_is_said_to_be_so(phone: Phone, live: LiveHouse) -> None:
    def fill() -> None:
        for n in range(1, 11):
            stage(live).say("Bo", f"number {n}.", BO)
        stage(live).add(server.MessageFrame, BO, "Bo", "quoting", text="as I said", reply_to=2)
        stage(live).oldest = 9

    live.call(fill)
    phone.come_in()
    phone.message("as I said").locator(".quote").click()
    phone.page.get_by_text("That message is no longer kept.").wait_for()
    assert texts(phone) == ["number 9.", "number 10.", "as I said"]
    phone.page.get_by_text("Older messages are no longer kept.").wait_for()
    assert phone.page.get_by_text("This is where the room begins.").is_hidden()


def test_what_comes_while_the_newest_are_read_is_not_left_out(phone: Phone, live: LiveHouse) -> None:
    live.call(lambda: [stage(live).say("Bo", f"number {n}.", BO) for n in range(1, 201)])
    phone.come_in()
    live.call(stage(live).add, server.MessageFrame, BO, "Bo", "quoting", text="as I said", reply_to=20)
    phone.message("as I said").locator(".quote").click()
    phone.message("number 20.").wait_for()
    decode, once = client_decoder(), [True]

    def overtake(text: str) -> list[Any] | None:
        frame = decode(text)
        is_newest = isinstance(frame, client.History) and frame.before is None and frame.after is None
        if not is_newest or not (once and once.pop()):
            return None
        page = live.house.visits[0]._history(frame, stage(live))
        stage(live).say("Bo", "meanwhile", BO)
        return [page]

    live.house.overhear = overtake
    phone.page.get_by_role("button", name="Newest").click()
    phone.message("meanwhile").wait_for()


def test_words_that_are_taken_away_are_taken_from_quotes_too(phone: Phone, live: LiveHouse) -> None:
    def fill() -> None:
        stage(live).say("Bo", "her address is Oak Lane 3", BO)
        stage(live).add(server.MessageFrame, BO, "Bo", "quoting", text="do not say that", reply_to=1)

    live.call(fill)
    phone.come_in()
    phone.page.locator(".quote", has_text="Oak Lane").wait_for()
    live.call(stage(live).add, orders.HiddenFrame, BO, 1)
    phone.page.locator(".quote", has_text="Hidden by the stewards").wait_for()
    assert "Oak Lane" not in phone.page.content()


def test_nothing_is_said_of_a_room_before_anything_is_known_of_it(phone: Phone, live: LiveHouse) -> None:
    """On the way in it said "Nobody has said anything yet", and "1 person here"."""
    live.house.silent = True
    phone.page.get_by_label("Your name").fill("Ana")
    phone.page.get_by_label("Room or code").fill("blue-stage")
    phone.page.get_by_role("button", name="Come in").click()
    phone.page.get_by_text("Offline since").wait_for()
    assert phone.page.get_by_text("Nobody has said anything yet").is_hidden()
    assert phone.page.locator("#people").inner_text() == "Who is here"
    phone.page.locator("#people").click()
    phone.page.get_by_role("dialog").get_by_text("You are offline: nobody can tell who is here").wait_for()


def test_a_room_that_was_left_on_the_way_in_is_left(phone: Phone, live: LiveHouse) -> None:
    """The answer came too late for the page, and the room counted one more than it had."""
    phone.come_in(room="main-stage")
    held: list[str] = []

    def hold(text: str) -> list[Any] | None:
        if '"join"' not in text or "blue-stage" not in text:
            return None
        held.append(text)
        return []

    live.house.overhear = hold
    phone.page.goto(live.url + "#room=blue-stage")
    phone.until(lambda: bool(held))
    phone.page.goto(live.url + "#room=main-stage")
    phone.live_now()

    def answer() -> None:
        visit = live.house.visits[0]
        for frame in visit._join(client_decoder()(held[0]), stage(live)):
            visit.push(frame)

    live.call(answer)
    phone.until(lambda: stage(live).visits == [])
    assert len(live.house.room("main-stage").visits) == 1


def test_a_reaction_that_did_not_count_is_not_shown_as_given(phone: Phone, live: LiveHouse) -> None:
    live.call(stage(live).say, "Bo", "who has a tent?", BO)
    live.call(stage(live).reactions.update, {1: {"🎉": {"x"}}})
    phone.come_in()
    live.house.refuse = lambda frame: no(frame, "muted") if isinstance(frame, client.React) else None
    chip = phone.message("who has a tent?").get_by_role("button", name="🎉 1")
    chip.click()
    phone.page.get_by_text("muted it is").wait_for()
    assert chip.get_attribute("aria-pressed") == "false"


def test_a_message_that_is_no_longer_pinned_after_a_loss_is_not_shown_as_pinned(phone: Phone, live: LiveHouse) -> None:
    """Who missed more than is replayed missed the unpinning too; the answer to the join says what is pinned."""
    live.call(stage(live).say, "Bo", "meet at the oak", BO)
    phone.come_in()
    live.call(stage(live).add, orders.PinnedFrame, BO, 1)
    phone.page.locator("#pinned", has_text="meet at the oak").wait_for()
    live.call(live.house.cut_all)
    phone.page.locator("#pinned").wait_for(state="hidden")


def test_reactions_that_come_after_the_messages_take_nobody_away_from_the_newest(phone: Phone, live: LiveHouse) -> None:
    """They made the messages longer, and the newest was out of sight; with a frame of the screen at the wrong moment
    the page took that for somebody reading further up, and stayed there."""
    live.call(lambda: [stage(live).say("Bo", f"number {n}.", BO) for n in range(1, 41)])
    live.call(stage(live).reactions.update, {seq: {"🎉": {"x"}} for seq in range(30, 41)})
    phone.come_in()
    phone.message("number 40.").get_by_role("button", name="🎉 1").wait_for()
    below = "() => { const l = document.querySelector('#log'); return l.scrollHeight - l.scrollTop - l.clientHeight; }"
    phone.page.wait_for_function(f"() => ({below})() < 5")
    live.call(stage(live).say, "Bo", "look here", BO)
    phone.message("look here").wait_for()
    phone.page.wait_for_function(f"() => ({below})() < 5")
