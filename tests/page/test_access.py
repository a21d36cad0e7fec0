"""For everybody: with a keyboard, a screen reader, small hands, in the sun; and what the browser is told to forbid."""

from collections.abc import Callable
from typing import Any

import pytest

from bandstand.pages import assets, routes
from gateway.http import Request, render
from tests.client.live import LiveHouse
from tests.page.conftest import Phone

BO = "m_01K4AAAAAAAAAAAAAAAAAAAAAB"

UNNAMED = """() => [...document.querySelectorAll('button, input, textarea, a, select, dialog, svg')]
  .filter(e => e.checkVisibility() && !e.closest('[aria-hidden=true]'))
  .filter(e => !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.length
      || e.textContent.trim()))
  .map(e => e.outerHTML.slice(0, 80))"""
SMALL = """() => [...document.querySelectorAll('button, input, textarea')]
  .filter(e => e.checkVisibility())
  .filter(e => {
    const box = e.getBoundingClientRect(), more = getComputedStyle(e, '::after');
    const grown = more.content !== 'none' ? ['top', 'bottom'].map(s => -parseFloat(more[s]) || 0) : [0, 0];
    return box.width < 44 || box.height + grown[0] + grown[1] < 43.5;
  })
  .map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect().width, e.getBoundingClientRect().height])"""
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour, over) => {
    canvas.fillStyle = over ? `rgb(${over})` : '#fff'; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => {
    const chain = [];
    for (; e; e = e.parentElement) chain.unshift(getComputedStyle(e).backgroundColor);
    return chain.reduce((under, colour) => rgb(colour, under), [255, 255, 255]); };
  const words = [...document.querySelectorAll('body *')].filter(e => e.checkVisibility({ opacityProperty: true })
    && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  return words.map(e => {
    const under = ground(e), ink = rgb(getComputedStyle(e).color, under);
    const [a, b] = [light(under), light(ink)].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), e.className + ' ' + e.textContent.trim().slice(0, 30)];
  }).filter(([ratio]) => ratio < 4.5);
}"""


def full_room(phone: Phone, live: LiveHouse) -> None:
    room = live.house.room("blue-stage")

    def fill() -> None:
        for n in range(8):
            room.say(f"Person {n}", f"word {n} of {n}", f"m_01K4{n:022d}")
        room.say("Bo", "with an answer that is too long for one line of a small phone, and then some", BO)
        room.reactions[9] = {"🎉": {"a", "b"}}
        room.set_rules(slow_s=8.0, reason="Many at once.")

    live.call(fill)
    phone.come_in()
    phone.say("mine")
    phone.message("mine").get_by_label("stored").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("look", "scheme"), [("automatic", "light"), ("automatic", "dark"), ("dark", "light"), ("sunlight", "dark")]
)
def test_words_have_contrast_in_every_look(
    look: str, scheme: str, another: Callable[..., Phone], live: LiveHouse
) -> None:
    phone = another(color_scheme=scheme)
    for _ in range(["automatic", "dark", "sunlight"].index(look)):
        phone.page.get_by_role("button", name="Look:").click()
    assert phone.page.get_by_role("button", name=f"Look: {look}").is_visible()
    assert phone.page.evaluate(CONTRAST) == []
    full_room(phone, live)
    assert phone.page.evaluate(CONTRAST) == []
    phone.page.get_by_role("button", name="Menu").click()
    assert phone.page.evaluate(CONTRAST) == []
    phone.page.keyboard.press("Escape")
    phone.go_offline()
    phone.say("waits")
    phone.page.get_by_text("1 waiting").wait_for()
    assert phone.page.evaluate(CONTRAST) == []


@pytest.mark.browser
def test_everything_has_a_name_and_room_for_a_thumb_and_nothing_is_cut_off(phone: Phone, live: LiveHouse) -> None:
    page = phone.page
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(SMALL) == []
    full_room(phone, live)
    page.get_by_role("button", name="Actions for the message of Bo").click()
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate(SMALL) == []
    page.get_by_role("button", name="Reply").click()
    for width in (320, 360, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert page.locator("#log").evaluate("l => l.scrollWidth <= l.clientWidth")
    log = page.get_by_role("log")
    assert log.get_attribute("aria-live") == "polite"
    assert log.get_attribute("aria-label") == "Messages"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("main").count() == 1


@pytest.mark.browser
def test_a_keyboard_is_enough(phone: Phone, live: LiveHouse) -> None:
    page = phone.page
    keys = page.keyboard
    live.call(live.house.room("blue-stage").say, "Bo", "first words", BO)
    live.call(live.house.room("blue-stage").say, "Bo", "second words", BO)
    assert page.evaluate("() => document.activeElement.id") == "nickname"
    keys.type("Ana")
    keys.press("Tab")
    keys.type("blue-stage")
    keys.press("Enter")
    phone.live_now()
    assert page.evaluate("() => document.activeElement.id") == "say"
    keys.type("by key")
    keys.press("Enter")
    phone.message("by key").get_by_label("stored").wait_for()
    focused = "() => document.activeElement.innerText || document.activeElement.id"
    keys.press("Shift+Tab")
    for _ in range(8):
        if page.evaluate("() => document.activeElement.classList.contains('message')"):
            break
        keys.press("Shift+Tab")
    keys.press("Home")
    assert "first words" in page.evaluate(focused)
    keys.press("ArrowDown")
    assert "second words" in page.evaluate(focused)
    keys.press("Enter")
    assert page.evaluate("() => document.activeElement.closest('.actions') !== null")
    keys.press("Escape")
    assert "second words" in page.evaluate(focused)
    keys.press("Enter")
    page.get_by_role("button", name="Reply").focus()
    keys.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "say"
    keys.type("an answer")
    keys.press("Enter")
    phone.message("an answer").get_by_label("stored").wait_for()
    assert live.house.room("blue-stage").entries[-1].reply_to == 2
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"


@pytest.mark.browser
def test_the_browser_enforces_the_policy(another: Callable[..., Phone], live: LiveHouse) -> None:
    phone = another()  # One that may complain.
    injected = (
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.pwned = 1'}))"
    )
    for attempt in (injected, "document.body.innerHTML = '<b>x</b>'"):
        with pytest.raises(Exception, match=r"TrustedScript|TrustedHTML"):
            phone.page.evaluate(f"() => {{ {attempt} }}")
    phone.page.evaluate("() => fetch('http://127.0.0.1:9/').catch(() => 0)")
    assert phone.page.evaluate("() => window.pwned") is None
    phone.until(lambda: any("Content Security Policy" in said or "TrustedHTML" in said for said in phone.complaints))


@pytest.mark.browser
def test_motion_is_reduced_for_those_who_ask(another: Callable[..., Phone], live: LiveHouse) -> None:
    phone = another(reduced_motion="reduce")
    phone.come_in()
    phone.go_offline()
    phone.page.get_by_text("Offline since").wait_for()
    assert phone.page.locator(".dot").evaluate("d => getComputedStyle(d).animationName") == "none"


def test_every_asset_has_its_headers_and_nothing_comes_from_elsewhere() -> None:
    served = assets("North Fields")
    for path, asset in served.items():
        policy = asset.headers["Content-Security-Policy"]
        for part in (
            "default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "base-uri 'none'",
            "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
        ):  # fmt: skip
            assert part in policy, path
        assert "unsafe" not in policy
        assert asset.headers["X-Content-Type-Options"] == "nosniff"
        text = asset.body.decode()
        assert "https://" not in text
        assert text.replace("http://www.w3.org/2000/svg", "").count("http://") == 0
        for banned in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "style=",
            'onclick="',
        ):
            assert banned not in text, (path, banned)
    page = served["/"].body.decode()
    assert [path for path in served if path.startswith("/app/") and f'href="{path}"' not in page] == []


async def test_what_the_browser_holds_already_is_not_sent_again() -> None:
    route = routes("North Fields")["/app.js"]
    whole = await route(Request("/app.js", "", {}))
    assert (whole.status, whole.content_type) == (200, "text/javascript; charset=utf-8")
    held = await route(Request("/app.js", "", {"if-none-match": f'"x", W/{whole.headers["ETag"]}'}))
    assert (held.status, held.body, held.headers["ETag"]) == (304, b"", whole.headers["ETag"])
    assert b"Cache-Control: no-cache\r\n" in render(whole)


async def test_the_name_of_the_event_is_text_too() -> None:
    page: Any = await routes('<script>"x"')["/"](Request("/", "", {}))
    assert b"<script>&quot;" not in page.body
    assert b"&lt;script&gt;&quot;x&quot;" in page.body
    assert b"{{" not in page.body
