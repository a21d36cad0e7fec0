"""The comparison of byte streams: however they are cut, and whatever is said to one member in between."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ledger import Ledger, RunVoid
from bench.stream import Follower, Json, ReferenceStream
from bench.wire import PING, TEXT, BadWire, masked, next_frame
from tests.bench.stand_in import framed, said

MESSAGES = 8


def entry(seq: int, text: str | None = None) -> Json:
    text = f"text {seq}" if text is None else text
    return {"type": "message", "room": "r", "epoch": "e", "seq": seq, "ts": 1.5, "cid": f"cid-{seq}", "text": text}


FRAMES = [said(entry(seq)) for seq in range(1, MESSAGES + 1)]
OWN = [said({"type": "heartbeat", "t": 1.0}), said({"type": "message-like", "seq": 3}), framed(PING, b""), b""]


class Room:
    def __init__(self) -> None:
        self.ledger = Ledger()
        for seq in range(1, MESSAGES + 1):
            self.ledger.post("r", f"cid-{seq}", f"text {seq}", 0.0)
        self.stream = ReferenceStream("r", self.ledger)
        self.stream.joined("e", 0)
        self.own = 0

    def member(self, name: str = "m") -> Follower:
        return Follower(name, self.stream, self.personal)

    def personal(self, opcode: int, payload: bytes, frame: Json | None) -> None:
        self.own += 1


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


CUTS = st.lists(st.integers(0, 10_000), max_size=12)
OWN_BETWEEN = st.lists(st.sampled_from(range(len(OWN))), min_size=MESSAGES, max_size=MESSAGES)


@given(st.lists(st.tuples(CUTS, OWN_BETWEEN), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_streams_agree_however_they_are_cut_and_interleaved(members: list[tuple[list[int], list[int]]], luck) -> None:
    room = Room()
    queues, own = [], 0
    for cuts, between in members:
        data = b"".join(frame + OWN[k] for frame, k in zip(FRAMES, between, strict=True))
        own += sum(1 for k in between if OWN[k])
        queues.append((room.member(), pieces(data, cuts)))
    while any(queue for _, queue in queues):
        follower, queue = luck.choice([each for each in queues if each[1]])
        follower.take(queue.pop(0), 1.0)

    assert bytes(room.stream.raw) == b"".join(FRAMES)
    assert room.stream.complete == MESSAGES == room.ledger.completed
    assert room.own == own
    assert room.stream.members_at == {len(room.stream.raw): len(members)}


def changed(kind: str, k: int) -> list[bytes]:
    match kind:
        case "lost":
            return FRAMES[:k] + FRAMES[k + 1 :]
        case "twice":
            return FRAMES[: k + 1] + FRAMES[k:]
        case "swapped":
            return [*FRAMES[:k], FRAMES[k + 1], FRAMES[k], *FRAMES[k + 2 :]]
        case "other text":
            return [*FRAMES[:k], said(entry(k + 1, "something else")), *FRAMES[k + 1 :]]
        case _:
            return [*FRAMES[:k], said(entry(k + 1) | {"ts": 2.5}), *FRAMES[k + 1 :]]


@given(
    st.sampled_from(["lost", "twice", "swapped", "other text", "other time"]),
    st.integers(0, MESSAGES - 2),
    CUTS,
    st.booleans(),
)
def test_a_member_who_is_told_otherwise_is_found_out(kind: str, k: int, cuts: list[int], leads: bool) -> None:
    room = Room()
    honest, victim = room.member(), room.member("victim")

    def tell_both() -> None:
        if not leads:
            honest.take(b"".join(FRAMES), 1.0)
        for piece in pieces(b"".join(changed(kind, k)), cuts):
            victim.take(piece, 1.0)
        if leads:
            honest.take(b"".join(FRAMES), 1.0)

    with pytest.raises(RunVoid):
        tell_both()


def test_a_replayed_frame_may_be_written_otherwise_if_it_says_the_same() -> None:
    room = Room()
    room.member().take(b"".join(FRAMES), 1.0)
    late = room.member("late")
    spaced = framed(TEXT, json.dumps(dict(reversed(entry(1).items()))).encode())

    late.take(spaced + b"".join(FRAMES[1:]), 2.0)

    assert room.stream.complete == MESSAGES


def test_what_is_missing_at_the_end_is_found_when_the_round_is_settled() -> None:
    room = Room()
    room.member().take(b"".join(FRAMES), 1.0)
    room.member().take(b"".join(FRAMES[:-1]), 1.0)

    with pytest.raises(RunVoid, match="1 of 2 members did not get all 8"):
        room.stream.settle()


def test_an_acknowledgement_with_another_seq_is_found_when_the_round_is_settled() -> None:
    room = Room()
    room.member().take(b"".join(FRAMES), 1.0)
    for seq in range(1, MESSAGES + 1):
        room.ledger.ok(f"cid-{seq}", seq + (seq == 5))

    with pytest.raises(RunVoid, match="delivered as seq 5, acknowledged as 6"):
        room.stream.settle()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_form_are_walked(size: int) -> None:
    data = framed(TEXT, bytes(size)) + b"\x81"
    frame = next_frame(data, 0)

    assert frame is not None
    assert (frame.end, frame.end - frame.start) == (len(data) - 1, size)
    assert next_frame(data[: frame.end - 1] if size else data[:1], 0) is None
    assert len(masked(TEXT, bytes(size))) == frame.end + 4


@pytest.mark.parametrize("head", [b"\x01\x00", b"\xc1\x00", b"\x81\x80", b"\x83\x00"])
def test_fragments_extensions_masks_and_unknown_opcodes_are_refused(head: bytes) -> None:
    with pytest.raises(BadWire):
        next_frame(head, 0)
