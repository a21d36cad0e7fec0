"""What is the portable wire's own: how it keeps the library in its place, and what an idle connection costs."""

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from gateway.admission import Admission, ListenerLimits
from gateway.wire.contract import Upgrade
from gateway.wire.limits import WireLimits
from gateway.wire.portable import PortableWire, request_head, unmask
from gateway.wire.transport import StreamTransport
from tests.hazards.echo_server import EchoSink, bye
from tests.wire.frames import more, text

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def upgrade() -> Upgrade:
    ticket = Admission(ListenerLimits(), 1).enter("192.0.2.1", 0.0)
    assert ticket is not None
    return Upgrade(KEY, "bandstand.v1", b"", ticket)


def test_the_library_sees_nothing_that_a_client_chose_but_the_key() -> None:
    head = request_head(upgrade())
    assert KEY.encode() in head
    assert b"192.0.2.1" not in head
    assert head.isascii()
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("words", ["", "a", "abcde", "é" * 100, "x" * 16_000])
def test_unmask(words: str) -> None:
    sent = b"before" + text(words) + b"after"
    assert unmask(sent, 6, len(sent) - 5) == words.encode()


async def test_a_whole_message_does_not_overtake_one_that_is_still_in_the_library(nursery: trio.Nursery) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    wire = PortableWire(StreamTransport(ours, ours.send_stream.close), nursery, upgrade(), bye, WireLimits())
    sink = wire._sink = EchoSink(wire)
    wire._accepted = None
    wire._head = b""
    await theirs.send_all(text("a", fin=False) + more("b"))
    assert await wire.receive_some() == text("a", fin=False) + more("b")
    await theirs.send_all(text("c"))
    assert await wire.receive_some() == text("c"), "the library has not given the first one back yet"
    wire._delivered = 2
    await theirs.send_all(text("d") + more("?"))
    with trio.move_on_after(0.01):
        await wire.receive_some()
    assert sink.texts == ["d"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux (2026-11: figure is of Linux)")
def test_an_idle_connection_costs_at_most_20_kb() -> None:
    measure = Path(__file__).with_name("idle_memory.py")
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(measure)],
        cwd=root,
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) <= 20_480
