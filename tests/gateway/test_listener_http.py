"""The front door's reading of HTTP, as bytes: what is a request, who may come in, and what the others are told."""

from contextlib import suppress
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import (
    HeadLimits,
    HttpError,
    Request,
    Response,
    check_host,
    check_origin,
    forwarded_for,
    parse_head,
    refusal,
    render,
    websocket_key,
)
from tests.wire.peer import request

LIMITS = HeadLimits()
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def head(*lines: str, first: str = "GET /ws?x=1 HTTP/1.1") -> bytes:
    return "\r\n".join((first, *lines, "", "")).encode("latin-1")


def status_of(raw: bytes, limits: HeadLimits = LIMITS) -> int:
    with pytest.raises(HttpError) as caught:
        parse_head(raw, limits)
    assert caught.value.text
    return caught.value.status


def asked(**headers: str) -> Request:
    return Request("/ws", "", {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_good_request() -> None:
    got = parse_head(head("Host: a.example", "X-A:  1 ", "x-a: 2", "Empty:"), LIMITS)
    assert (got.path, got.query) == ("/ws", "x=1")
    assert got.headers == {"host": "a.example", "x-a": "1,2", "empty": ""}
    assert parse_head(head("Content-Length: 0"), LIMITS).path == "/ws"


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (head(first="GET /ws HTTP/1.0"), 400),
        (head(first="GET /ws HTTP/2.0"), 400),
        (head(first="GET /ws"), 400),
        (head(first="GET"), 400),
        (head(first=""), 400),
        (head(first="GET  /ws HTTP/1.1"), 400),
        (head(first="GET /a b HTTP/1.1"), 400),
        (head(first="GET ws HTTP/1.1"), 400),
        (head(first="GET http://a/ws HTTP/1.1"), 400),
        (head(first="GET * HTTP/1.1"), 400),
        (head(first="GET /\x01 HTTP/1.1"), 400),
        (head(first="GET /\xe9 HTTP/1.1"), 400),
        (head(first="POST /ws HTTP/1.1"), 405),
        (head(first="HEAD /ws HTTP/1.1"), 405),
        (head(first="get /ws HTTP/1.1"), 405),
        (head(first=f"GET /{'x' * 512} HTTP/1.1"), 431),
        (head(*(f"X-{n}: y" for n in range(65))), 431),
        (head("no colon"), 400),
        (head(": no name"), 400),
        (head("Bad name: x"), 400),
        (head("Name : x"), 400),
        (head("A: 1", " folded"), 400),
        (head("A: \x00"), 400),
        (head("A: \x1b[31m"), 400),
        (head("A: \x7f"), 400),
        (head("A: \xff"), 400),
        (head("A: b\nC: d"), 400),
        (head("A: b\rC: d"), 400),
        (head("Host: a", "Host: a"), 400),
        (head("Origin: https://a", "origin: https://b"), 400),
        (head(f"Sec-WebSocket-Key: {KEY}", f"Sec-WebSocket-Key: {KEY}"), 400),
        (head("Content-Length: 5"), 413),
        (head("Content-Length: x"), 413),
        (head("Transfer-Encoding: chunked"), 413),
        (head("Transfer-Encoding: identity", "Content-Length: 0"), 413),
    ],
)
def test_what_is_not_a_request(raw: bytes, status: int) -> None:
    assert status_of(raw) == status


def test_as_many_headers_and_as_long_a_path_as_may_be() -> None:
    assert len(parse_head(head(*(f"X-{n}: y" for n in range(64))), LIMITS).headers) == 64
    assert len(parse_head(head(first=f"GET /{'x' * 511} HTTP/1.1"), LIMITS).path) == 512


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_refusal(junk: bytes) -> None:
    for raw in (junk + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + junk + b"\r\n\r\n", b"GET " + junk + b" HTTP/1.1\r\n\r\n"):
        with suppress(HttpError):
            got = parse_head(raw, LIMITS)
            text = got.path + got.query + "".join(got.headers) + "".join(got.headers.values())
            assert text.isascii()
            assert text.replace("\t", "").isprintable()


@pytest.mark.parametrize(
    ("host", "local", "allowed"),
    [
        ("chat.example.org", "10.0.0.1", True),
        ("CHAT.example.org:8443", "10.0.0.1", True),
        ("10.0.0.1:8080", "10.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost:8080", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("[::1]:8080", "::1", True),
        ("localhost", "10.0.0.1", False),
        ("rebound.evil.example", "127.0.0.1", False),
        ("chat.example.org.evil.example", "10.0.0.1", False),
        ("10.0.0.2", "10.0.0.1", False),
    ],
)
def test_the_host_must_be_ours(host: str, local: str, allowed: bool) -> None:
    names = frozenset({"chat.example.org"})
    if allowed:
        check_host(asked(host=host), names, local)
    else:
        with pytest.raises(HttpError) as caught:
            check_host(asked(host=host), names, local)
        assert caught.value.status == 403
    check_host(asked(host=host), frozenset({"*"}), local)


@pytest.mark.parametrize("host", ["", "a b", "a/b", "a@b", "a:b", "a:99999", "a:", "[::1", "xn--\u00e9"])
def test_a_host_that_is_none_is_a_bad_request(host: str) -> None:
    with pytest.raises(HttpError) as caught:
        check_host(asked(host=host), frozenset({"*"}), "10.0.0.1")
    assert caught.value.status == 400
    with pytest.raises(HttpError) as caught:
        check_host(asked(), frozenset({"*"}), "10.0.0.1")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://pages.example", True),
        ("HTTPS://PAGES.example", True),
        ("http://chat.example:8080", True),
        ("https://chat.example:8080", True),
        ("http://chat.example", False),
        ("https://evil.example", False),
        ("https://pages.example.evil.example", False),
        ("null", False),
        ("", False),
    ],
)
def test_a_page_must_be_ours_or_listed(origin: str | None, allowed: bool) -> None:
    headers = {"host": "chat.example:8080"} | ({} if origin is None else {"origin": origin})
    listed = frozenset({"https://pages.example"})
    if allowed:
        check_origin(asked(**headers), listed)
    else:
        with pytest.raises(HttpError) as caught:
            check_origin(asked(**headers), listed)
        assert caught.value.status == 403


@pytest.mark.parametrize(
    ("forwarded", "peer", "held"),
    [
        (None, "10.0.0.9", "10.0.0.9"),
        ("203.0.113.7", "10.0.0.9", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "198.51.100.1"),
        ("1.1.1.1, 203.0.113.7", "10.0.0.9", "203.0.113.7"),
        ("203.0.113.7, 10.0.0.8", "10.0.0.9", "203.0.113.7"),
        ("10.0.0.7, 10.0.0.8", "10.0.0.9", "10.0.0.7"),
        ("rubbish", "10.0.0.9", "10.0.0.9"),
        ("203.0.113.7, rubbish", "10.0.0.9", "10.0.0.9"),
        ("2001:db8::1", "10.0.0.9", "2001:db8::1"),
    ],
)
def test_only_a_trusted_proxy_speaks_for_another(forwarded: str | None, peer: str, held: str) -> None:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    assert forwarded_for(Request("/", "", headers), peer, [ip_network("10.0.0.0/8")]) == held


def upgrade(**changed: str | None) -> Request:
    headers = {name.replace("_", "-"): value for name, value in changed.items()}
    return parse_head(request(headers=headers), LIMITS)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Upgrade": None}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Connection": None}, 426),
        ({"Connection": "keep-alive"}, 426),
        ({"Connection": "notUpgrade"}, 426),
        ({"Sec_WebSocket_Version": None}, 426),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Version": "13, 8"}, 426),
        ({"Sec_WebSocket_Key": None}, 400),
        ({"Sec_WebSocket_Key": ""}, 400),
        ({"Sec_WebSocket_Key": "AAAA"}, 400),
        ({"Sec_WebSocket_Key": "A" * 22}, 400),
        ({"Sec_WebSocket_Key": "!" * 22 + "=="}, 400),
        ({"Sec_WebSocket_Key": KEY[:-2] + "A="}, 400),
    ],
)
def test_what_is_no_websocket_request(headers: dict[str, str | None], status: int) -> None:
    with pytest.raises(HttpError) as caught:
        websocket_key(upgrade(**headers))
    assert caught.value.status == status
    if "Version" in str(headers):
        assert caught.value.headers["Sec-WebSocket-Version"] == "13"


def test_a_websocket_request_in_odd_capitals() -> None:
    good = upgrade(Upgrade="WebSocket", Connection="Keep-Alive, UPGRADE", Sec_WebSocket_Key=KEY)
    assert websocket_key(good) == KEY


def test_an_answer_is_complete_and_guarded() -> None:
    raw = render(Response(body=b"<p>", content_type="text/html", headers={"Cache-Control": "max-age=60"}))
    lines, _, body = raw.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in lines.split(b"\r\n")[1:])
    assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"<p>"
    assert fields[b"Content-Length"] == b"3"
    assert fields[b"Connection"] == b"close"
    assert fields[b"Cache-Control"] == b"max-age=60"
    assert fields[b"X-Content-Type-Options"] == b"nosniff"
    assert b"default-src 'none'" in fields[b"Content-Security-Policy"]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 413, 426, 431, 503])
def test_a_refusal_says_what_to_do(status: int) -> None:
    raw = render(refusal(HttpError(status, "Do this.", {"Retry-After": "5"})))
    assert raw.startswith(b"HTTP/1.1 %d " % status)
    assert raw.endswith(b"\r\n\r\nDo this.\n")
    assert b"Retry-After: 5\r\n" in raw
