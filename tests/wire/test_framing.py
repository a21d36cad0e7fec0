"""Frames as bytes: what we write, a strict RFC 6455 parser reads; and where each one ends, we find again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode

from gateway.wire.framing import close_frame, frame_end, frame_ends, text_frame


def read_as_client(blob: bytes) -> list[tuple[Opcode, object]]:
    client = FrameProtocol(client=True, extensions=[])
    client.receive_bytes(blob)
    return [(frame.opcode, frame.payload) for frame in client.received_frames()]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536])
def test_text_frame_uses_the_shortest_length_and_reads_back(size: int) -> None:
    frame = text_frame(b"x" * size)
    assert read_as_client(frame) == [(Opcode.TEXT, "x" * size)]
    assert len(frame) - size == (2 if size < 126 else 4 if size < 65_536 else 10)
    assert frame_end(frame, 0) == len(frame)


def test_close_frame_carries_code_and_reason() -> None:
    assert read_as_client(close_frame(4406, b"no such version")) == [(Opcode.CLOSE, (4406, "no such version"))]
    assert close_frame(1000) == b"\x88\x02\x03\xe8"


def test_a_long_reason_is_cut_between_characters() -> None:
    ((_, payload),) = read_as_client(close_frame(1002, "é".encode() * 100))
    assert payload == (1002, "é" * 61)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_the_ends_of_a_blob_are_the_ends_of_its_frames(payloads: list[bytes]) -> None:
    frames = [text_frame(payload) for payload in payloads]
    blob, ends, at = b"".join(frames), [], 0
    for frame in frames:
        at += len(frame)
        ends.append(at)
    assert list(frame_ends(blob)) == ends
