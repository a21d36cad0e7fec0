"""Who may come in, enter and speak: tables, and a model of plain lists."""

import pytest
from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from actors.names import MemberId, RoomName
from actors.people.standing import SLOW_FLOOR_S, Kind, Sanction, Standing
from actors.refusals import Reason, Refused

ANA, BO = MemberId("m_ana"), MemberId("m_bo")
HALL, BAR = RoomName("hall"), RoomName("bar")
NOW = 1_000.0


def reason(refused: Refused | None) -> Reason | None:
    return None if refused is None else refused.reason


def test_a_mute_in_one_room_is_none_in_another() -> None:
    standing = Standing()
    standing.put(Sanction("mute", ANA, room=HALL, until=NOW + 5, reason="shouting"))
    refused = standing.may_speak(ANA, HALL, "hi", NOW)
    assert refused == Refused(Reason.MUTED, "you may not write here for now: shouting", 5_000)
    assert standing.may_speak(ANA, BAR, "hi", NOW) is None
    assert standing.may_speak(BO, HALL, "hi", NOW) is None
    assert standing.may_speak(ANA, HALL, "hi", NOW + 5) is None
    assert standing.may_enter(ANA, HALL, NOW) is None


def test_whoever_is_marked_in_any_way_is_named() -> None:
    standing = Standing()
    assert standing.marked() == set()
    standing.put(Sanction("mute", ANA, room=HALL))
    standing.put(Sanction("ban", None, "192.0.2.7"))
    standing.badges[BO] = "steward"
    standing.roles[MemberId("m_cy")] = "staff"
    assert standing.marked() == {ANA, BO, MemberId("m_cy")}


def test_of_two_mutes_the_longer_one_is_told() -> None:
    standing = Standing()
    standing.put(Sanction("mute", ANA, room=HALL, until=NOW + 5))
    standing.put(Sanction("mute", ANA, until=NOW + 60))
    refused = standing.may_speak(ANA, HALL, "hi", NOW)
    assert refused is not None
    assert refused.retry_after_ms == 60_000


def test_a_ban_holds_at_the_door_of_its_room_or_of_the_house() -> None:
    standing = Standing()
    standing.put(Sanction("ban", ANA, room=HALL))
    standing.put(Sanction("ban", BO))
    standing.put(Sanction("ban", None, "192.0.2.7"))
    assert reason(standing.may_enter(ANA, HALL, NOW)) is Reason.BANNED
    assert standing.may_enter(ANA, BAR, NOW) is None
    assert standing.may_come_in(ANA, "198.51.100.1", NOW) is None
    assert reason(standing.may_enter(BO, BAR, NOW)) is Reason.BANNED
    assert reason(standing.may_come_in(BO, "198.51.100.1", NOW)) is Reason.BANNED
    assert reason(standing.may_come_in(None, "192.0.2.7", NOW)) is Reason.BANNED


LOCKED = Reason.LOCKED_DOWN


@pytest.mark.parametrize(
    ("level", "known", "stranger", "link", "staff"),
    [
        (5, None, None, None, None),
        (4, None, None, None, None),
        (3, None, None, LOCKED, None),
        (2, None, LOCKED, LOCKED, None),
        (1, LOCKED, LOCKED, LOCKED, None),
    ],
)
def test_each_level_of_lockdown_takes_one_more_thing_away(
    level: int, known: Reason | None, stranger: Reason | None, link: Reason | None, staff: Reason | None
) -> None:
    seen = {ANA: NOW - 100.0, BO: NOW + 1.0}
    medic = MemberId("m_medic")
    standing = Standing(level, NOW, roles={medic: "medic"}, known=seen.get)
    assert reason(standing.may_speak(ANA, HALL, "hi", NOW)) == known
    assert reason(standing.may_speak(BO, HALL, "hi", NOW)) == stranger
    assert reason(standing.may_speak(ANA, HALL, "see https://x.example/y", NOW)) == link
    assert reason(standing.may_speak(medic, HALL, "see https://x.example/y", NOW)) == staff
    assert standing.slow_floor_s == (SLOW_FLOOR_S if level <= 3 else 0)


def test_staff_who_are_muted_are_muted() -> None:
    standing = Standing(roles={ANA: "steward"})
    standing.put(Sanction("mute", ANA))
    assert reason(standing.may_speak(ANA, HALL, "hi", NOW)) is Reason.MUTED


@pytest.mark.parametrize("text", ["http://a", "HTTPS://A.B", "tg://x", "www.a", "look: evil.com now", "x.gg"])
def test_links_are_seen(text: str) -> None:
    assert reason(Standing(3).may_speak(ANA, HALL, text, NOW)) is LOCKED


@pytest.mark.parametrize("text", ["hi", "at 5.30", "e.g. this", "what...ever", "a://", "3.5com", "end.come on"])
def test_plain_words_are_no_links(text: str) -> None:
    assert Standing(3).may_speak(ANA, HALL, text, NOW) is None


def test_the_badge_is_the_role_unless_another_is_given() -> None:
    standing = Standing(roles={ANA: "medic"}, badges={BO: "Artist"})
    assert (standing.badge(ANA), standing.badge(BO), standing.badge(MemberId("x"))) == ("medic", "Artist", "")


def test_a_sanction_is_laid_on_somebody() -> None:
    with pytest.raises(ValueError, match="laid on"):
        Sanction("mute", None)


@define
class Laid:
    kind: Kind
    member: MemberId
    room: RoomName | None
    until: float | None


@settings(max_examples=100, stateful_step_count=30, deadline=None)
class Sanctions(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.standing = Standing()
        self.laid: list[Laid] = []
        self.now = NOW

    @rule(
        kind=st.sampled_from(["mute", "ban"]),
        member=st.sampled_from([ANA, BO]),
        room=st.sampled_from([HALL, BAR, None]),
        lasts=st.none() | st.sampled_from([1.0, 5.0]),
    )
    def put(self, kind: Kind, member: MemberId, room: RoomName | None, lasts: float | None) -> None:
        until = None if lasts is None else self.now + lasts
        self.standing.put(Sanction(kind, member, room=room, until=until))
        self.laid = [each for each in self.laid if (each.kind, each.member, each.room) != (kind, member, room)]
        self.laid.append(Laid(kind, member, room, until))

    @rule(member=st.sampled_from([ANA, BO]), room=st.sampled_from([HALL, None]))
    def lift(self, member: MemberId, room: RoomName | None) -> None:
        lifted = self.standing.lift(lambda each: (each.member, each.room) == (member, room))
        gone = [each for each in self.laid if (each.member, each.room) == (member, room)]
        self.laid = [each for each in self.laid if each not in gone]
        assert len(lifted) == len(gone)

    @rule()
    def wait(self) -> None:
        self.now += 2.0

    @invariant()
    def the_standing_says_what_the_list_says(self) -> None:
        for member in (ANA, BO):
            for room in (HALL, BAR):
                here = {
                    each.kind
                    for each in self.laid
                    if each.member == member and each.room in (room, None) and (each.until or 1e9) > self.now
                }
                assert (self.standing.may_speak(member, room, "hi", self.now) is not None) == ("mute" in here)
                assert (self.standing.may_enter(member, room, self.now) is not None) == ("ban" in here)
        assert len(self.standing.sanctions()) == len(self.laid)


TestSanctions = Sanctions.TestCase
