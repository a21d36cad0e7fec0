"""What the house says, as bytes: each fact and each reply against the frame that the protocol names."""

import json
from typing import Any

import pytest

from actors.events import Body, Deleted, Edited, Entry, Message, Policy, PolicyChanged, Tombstone
from actors.journal.log import Page, Stored
from actors.names import Cid, Epoch, MemberId, Nickname, RoomName
from actors.refusals import Reason, Refused
from actors.room.messages import Counts, Done, Joined, MemberCard, MembersPage
from actors.room.presence import Counted, Diff
from actors.room.voice import Voice
from gateway.protocol.codec import server_decoder
from gateway.voice import WireVoice, answer, answer_history, bye, entry_frame, error, framed
from gateway.wire.framing import frame_ends

ROOM = RoomName("main-stage")
EPOCH = Epoch("1m3250v002t4")
ANA = MemberId("m_01K5ZR7Q8XJ9V3M2N4P6S8T0WA")
BO = MemberId("m_01K5ZR7Q8XJ9V3M2N4P6S8T0WB")
POLICY = Policy(rev=7, frozen=True, slow_s=2.5, expires=1.5e9, reason="rain", presence="off", history=9, max_members=8)
RULES = {
    "rev": 7, "frozen": True, "slow_s": 2.5, "max_members": 8, "history": 9, "presence": "off", "expires": 1.5e9,
    "reason": "rain",
}  # fmt: skip
voice = WireVoice()
as_voice: Voice = voice
decode = server_decoder(1 << 30)


def said(blob: bytes) -> dict[str, Any]:
    """The one frame in the blob, which must be a frame of the protocol."""
    assert [*frame_ends(blob)] == [len(blob)]
    head = 2 if blob[1] < 126 else 4 if blob[1] == 126 else 10
    assert blob[0] == 0x81
    decode(blob[head:].decode())
    return json.loads(blob[head:])  # type: ignore[no-any-return]


def entry(body: Body) -> Entry:
    return Entry(EPOCH, 42, 1.79e9, ANA, Cid("c-1"), body)


HEAD = {"room": "main-stage", "epoch": EPOCH, "seq": 42, "ts": 1.79e9}


@pytest.mark.parametrize(
    ("body", "frame"),
    [
        (
            Message(Nickname("Ana"), "hé\u2028"),
            {"type": "message", "member": ANA, "nickname": "Ana", "cid": "c-1", "text": "hé\u2028"},
        ),
        (
            Message(Nickname("Ana"), "hi", reply_to=41, edited=43),
            {
                "type": "message",
                "member": ANA,
                "nickname": "Ana",
                "cid": "c-1",
                "text": "hi",
                "reply_to": 41,
                "edited": 43,
            },
        ),
        (Tombstone(), {"type": "message", "member": ANA, "text": "", "deleted": True}),
        (Tombstone(edit_of=40), {"type": "edited", "member": ANA, "target": 40, "text": "", "deleted": True}),
        (Edited(40, "new"), {"type": "edited", "member": ANA, "target": 40, "text": "new"}),
        (Deleted(40), {"type": "deleted", "member": ANA, "target": 40}),
        (PolicyChanged(POLICY), {"type": "policy"} | RULES),
    ],
)
def test_entries(body: Body, frame: dict[str, Any]) -> None:
    assert said(voice.entry(ROOM, entry(body))) == HEAD | frame


def test_signs_of_the_log() -> None:
    assert said(voice.caught_up(ROOM, 5)) == {"type": "caught_up", "room": ROOM, "seq": 5}
    assert said(voice.behind(ROOM, 5)) == {"type": "behind", "room": ROOM, "from": 5}
    assert said(voice.gap(ROOM, 1, 5, "epoch")) == {"type": "gap", "room": ROOM, "from": 1, "to": 5, "why": "epoch"}


def test_what_is_outside_the_log() -> None:
    counts = {4: {"👍": 2}, 5: {}}
    assert said(voice.reactions(ROOM, counts)) == {
        "type": "reactions",
        "room": ROOM,
        "counts": {"4": {"👍": 2}, "5": {}},
    }
    assert said(voice.typing(ROOM, ANA, Nickname("Ana"))) == {
        "type": "typing", "room": ROOM, "member": ANA, "nickname": "Ana",
    }  # fmt: skip


def test_presence() -> None:
    diff = Diff("i1", 3, (MemberCard(ANA, Nickname("Ana")),), (BO,), 12)
    here = {"type": "presence", "room": ROOM, "instance": "i1", "rev": 3, "online": 12}
    joins = [{"member": ANA, "nickname": "Ana"}]
    assert said(voice.presence_diff(ROOM, diff)) == here | {"kind": "diff", "joins": joins, "leaves": [BO]}
    assert said(voice.presence_diff(ROOM, Diff("i1", 3, (), (), 12))) == here | {"kind": "diff"}
    assert said(voice.presence_counts(ROOM, Counted("i1", 3, 12))) == here | {"kind": "counts"}


def test_ok_of_join() -> None:
    joined = Joined(ROOM, EPOCH, 41, 1, "fresh", POLICY, Counts(12), Nickname("Ana-2"), "blue-stage-42", "Main")
    assert said(answer(2, joined)) == {
        "type": "ok", "re": 2, "room": ROOM, "epoch": EPOCH, "head": 41, "oldest": 1, "mode": "fresh",
        "policy": RULES | {"closed": False, "lockdown": 5, "official": False},
        "counts": {"online": 12}, "nickname": "Ana-2", "code": "blue-stage-42", "title": "Main", "alerts": [],
    }  # fmt: skip


def test_ok_of_send_members_and_the_rest() -> None:
    stored = {"type": "ok", "re": 3, "epoch": EPOCH, "seq": 42, "ts": 1.5, "dup": False}
    assert said(answer(3, Stored(EPOCH, 42, 1.5))) == stored
    assert said(answer(3, Stored(EPOCH, 42, 1.5, dup=True))) == stored | {"dup": True}
    page = MembersPage((MemberCard(ANA, Nickname("Ana")),), 1, 2, 201)
    members = [{"member": ANA, "nickname": "Ana"}]
    assert said(answer(4, page)) == {"type": "ok", "re": 4, "members": members, "page": 1, "pages": 2, "online": 201}
    assert said(answer(5, Done())) == {"type": "ok", "re": 5}


def test_ok_of_history() -> None:
    entries = (entry(Message(Nickname("Ana"), "hi")), entry(Tombstone()))
    page = Page(EPOCH, entries, True, 1, 99, {42: {"👍": 1}})
    assert said(answer_history(4, ROOM, page)) == {
        "type": "ok", "re": 4, "room": ROOM, "epoch": EPOCH, "more": True, "oldest": 1, "head": 99,
        "items": [said(voice.entry(ROOM, each)) for each in entries], "reactions": {"42": {"👍": 1}},
    }  # fmt: skip
    empty = said(answer_history(4, ROOM, Page(EPOCH, (), False, 1, 0)))
    assert empty["items"] == []
    assert "reactions" not in empty


@pytest.mark.parametrize(
    ("refused", "frame"),
    [
        (Refused(Reason.FROZEN), {"code": "frozen", "message": "this room is paused", "retry": True, "scope": "room"}),
        (
            Refused(Reason.SLOW_MODE, "wait", 8000),
            {"code": "slow_mode", "message": "wait", "retry": True, "retry_after_ms": 8000, "scope": "room"},
        ),
        (Refused(Reason.BANNED, "out"), {"code": "banned", "message": "out", "retry": False, "scope": "room"}),
        (
            Refused(Reason.BANNED, "for an hour", 3_600_000),
            {"code": "banned", "message": "for an hour", "retry": True, "retry_after_ms": 3_600_000, "scope": "room"},
        ),
        (
            Refused(Reason.RATE, "slow", 0),
            {"code": "rate", "message": "slow", "retry": True, "retry_after_ms": 0, "scope": "connection"},
        ),
    ],
)
def test_refusals(refused: Refused, frame: dict[str, Any]) -> None:
    assert said(answer(9, refused)) == said(answer_history(9, ROOM, refused)) == {"type": "error", "re": 9} | frame


@pytest.mark.parametrize("reason", Reason)
def test_every_refusal_says_something(reason: Reason) -> None:
    assert said(framed(error(None, Refused(reason))))["message"]


def test_bye_is_a_payload_that_the_outlet_frames() -> None:
    assert json.loads(bye(4200, 3_000)) == {
        "type": "bye", "code": 4200, "retry_after_ms": 3_000, "message": "draining",
    }  # fmt: skip
    assert json.loads(bye(4999)) == {"type": "bye", "code": 4999}


def test_an_edited_message_and_its_edit_are_two_frames() -> None:
    message = entry_frame(ROOM, entry(Message(Nickname("Ana"), "new", edited=43)))
    edit = entry_frame(ROOM, entry(Edited(42, "new")))
    assert type(message) is not type(edit)


def test_a_refusal_names_the_field_that_is_to_blame() -> None:
    """The room's, of a text without words, did not, while the codec's of an empty one did."""
    told = said(answer(4, Refused(Reason.BAD_FRAME, "there is no text in this message", path="text")))
    assert (told["code"], told["path"]) == ("bad_frame", "text")
    assert "path" not in said(answer(4, Refused(Reason.BAD_FRAME, "no")))
