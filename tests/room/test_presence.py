"""Who is here and when it is said, case by case, and a storm whose cost is counted."""

import pytest

import actors.room.presence
from actors.names import MemberId, Nickname
from actors.room.messages import MemberCard
from actors.room.presence import COUNTS_ABOVE, DIFF_UP_TO, Announcement, Counted, Diff, Presence


def skeleton(text: str) -> str:
    return text.casefold().replace("0", "o").replace("1", "l")


def with_suffix(nickname: Nickname, number: int) -> Nickname:
    return Nickname(f"{nickname} {number}")


def house() -> Presence:
    return Presence("i1", skeleton, with_suffix)


def m(name: object) -> MemberId:
    return MemberId(f"m_{name}")


def enter(presence: Presence, who: object, nickname: str | None = None) -> Nickname:
    return presence.enter(m(who), Nickname(nickname or f"nick-{who}"))


def crowd(size: int) -> Presence:
    presence = house()
    for n in range(size):
        enter(presence, n)
    presence.due(0.0)
    return presence


def card(who: object, nickname: str | None = None) -> MemberCard:
    return MemberCard(m(who), Nickname(nickname or f"nick-{who}"))


# Names


def test_names_that_look_alike_are_told_apart() -> None:
    presence = house()
    assert [enter(presence, n, name) for n, name in enumerate(["Bob0", "bobO", "BOB0", "Al"])] == [
        "Bob0",
        "bobO 2",
        "BOB0 3",
        "Al",
    ]


def test_a_suffix_that_someone_chose_is_passed_over() -> None:
    presence = house()
    assert [enter(presence, n, name) for n, name in enumerate(["Ana 2", "Ana", "Ana"])] == [
        "Ana 2",
        "Ana",
        "Ana 3",
    ]


def test_a_member_who_is_here_keeps_their_suffix_while_the_look_alike_is() -> None:
    presence = house()
    enter(presence, "a", "Ana")
    assert enter(presence, "b", "Ana") == Nickname("Ana 2")
    enter(presence, "c", "Ana")
    presence.due(0.0)
    assert enter(presence, "b", "Ana") == Nickname("Ana 2")
    assert presence.nickname(m("b")) == "Ana 2"
    assert presence.online == 3
    assert presence.due(1.0) is None
    presence.leave_now(m("a"))
    assert enter(presence, "b", "Ana") == Nickname("Ana")
    assert presence.due(2.0) == Diff("i1", 2, (card("b", "Ana"),), (m("a"),), 2)


def test_a_member_who_is_here_and_comes_in_under_another_name_is_called_so() -> None:
    """They kept the name of their first join for as long as they were here, whatever they wanted to be called since."""
    presence = house()
    enter(presence, "a", "Ana")
    enter(presence, "b", "Bob")
    presence.due(0.0)
    assert enter(presence, "b", "Zoe") == "Zoe"
    assert presence.due(1.0) == Diff("i1", 2, (card("b", "Zoe"),), (), 2)
    presence.leave_seat(m("b"))
    presence.leave_seat(m("b"))
    assert enter(presence, "b", "ana") == "ana 2", "within grace"
    assert presence.due(2.0) == Diff("i1", 3, (card("b", "ana 2"),), (), 2)
    assert enter(presence, "c", "Bob") == "Bob", "it is free"
    assert presence.online == 3


def test_grace_keeps_the_name_and_its_end_frees_it() -> None:
    presence = house()
    enter(presence, "a", "Ana")
    assert presence.leave_seat(m("a"))
    assert enter(presence, "b", "Ana") == "Ana 2"
    assert enter(presence, "a", "Ana") == Nickname("Ana")
    presence.leave_seat(m("a"))
    assert presence.lapse(m("a"))
    assert presence.nickname(m("a")) is None
    assert enter(presence, "c", "Ana") == "Ana"


# New names


def called(presence: Presence, who: object, nickname: str) -> Nickname | None:
    return presence.rename(m(who), Nickname(nickname))


def test_a_new_name_is_told_and_gets_a_suffix_where_it_meets_a_look_alike() -> None:
    presence = house()
    enter(presence, "a", "Ana")
    enter(presence, "b", "Bob")
    presence.due(0.0)
    assert called(presence, "b", "ANA") == "ANA 2"
    assert presence.due(1.0) == Diff("i1", 2, (card("b", "ANA 2"),), (), 2)
    assert called(presence, "b", "Bob") == "Bob"
    assert called(presence, "b", "B0b") == "B0b", "one's own name is no look-alike"
    assert called(presence, "x", "Zoe") is None, "who is not here"
    assert presence.due(2.0) == Diff("i1", 3, (card("b", "B0b"),), (), 2)


def test_a_name_that_is_taken_back_within_a_second_is_no_news() -> None:
    presence = house()
    enter(presence, "a", "Ana")
    presence.due(0.0)
    called(presence, "a", "Zoe")
    called(presence, "a", "Ana")
    assert presence.due(1.0) is None


def test_who_is_called_as_before_again_gets_the_suffix_they_had() -> None:
    presence = house()
    for who in "abcd":
        enter(presence, who, "Ana")
    assert called(presence, "b", "Zoe") == "Zoe"
    assert called(presence, "b", "Ana") == "Ana 2"
    called(presence, "b", "Zoe")
    enter(presence, "e", "Ana 2")
    assert called(presence, "b", "Ana") == "Ana 5", "somebody has it now"


def test_the_list_follows_new_names() -> None:
    presence = house()
    for who in "abc":
        enter(presence, who, who)
    assert names(presence, 1) == ["a", "b", "c"]
    called(presence, "a", "z")
    assert names(presence, 1) == ["b", "c", "z"]
    presence.leave_now(m("a"))
    assert names(presence, 1) == ["b", "c"]


# Coming and going


def test_only_the_last_connection_begins_the_grace() -> None:
    presence = house()
    enter(presence, "a")
    enter(presence, "a")
    assert not presence.leave_seat(m("a"))
    assert not presence.lapse(m("a")), "somebody is still connected"
    assert presence.leave_seat(m("a"))
    assert not presence.leave_seat(m("a")), "there is none left"
    assert presence.knows(m("a"))
    assert presence.online == 1
    assert presence.lapse(m("a"))
    assert (presence.knows(m("a")), presence.online) == (False, 0)


def test_strangers_change_nothing() -> None:
    presence = house()
    assert (presence.leave_seat(m("x")), presence.lapse(m("x")), presence.leave_now(m("x"))) == (False, False, False)
    assert not presence.has_news


def test_a_return_within_grace_is_silent() -> None:
    presence = house()
    enter(presence, "a")
    presence.due(0.0)
    presence.leave_seat(m("a"))
    assert presence.due(5.0) is None
    enter(presence, "a")
    assert not presence.lapse(m("a")), "the grace timer came too late"
    assert presence.due(9.0) is None


# Diffs


def test_joins_and_leaves_are_merged_into_one_diff_a_second() -> None:
    presence = house()
    enter(presence, "a")
    assert presence.due(0.0) == Diff("i1", 1, (card("a"),), (), 1)
    enter(presence, "b")
    assert presence.due(0.5) is None
    assert presence.has_news
    enter(presence, "c")
    presence.leave_now(m("a"))
    assert presence.due(1.0) == Diff("i1", 2, (card("b"), card("c")), (m("a"),), 2)
    assert presence.due(2.0) is None
    assert not presence.has_news


def test_a_join_and_a_leave_within_one_tick_cancel_out() -> None:
    presence = house()
    enter(presence, "a")
    presence.due(0.0)
    enter(presence, "b")
    presence.leave_now(m("b"))
    presence.leave_now(m("a"))
    enter(presence, "a")
    assert presence.due(1.0) is None
    assert (presence.has_news, presence.rev) == (False, 1)


def test_someone_who_returns_under_another_name_is_a_join_that_replaces() -> None:
    presence = house()
    enter(presence, "a", "Ana")
    presence.due(0.0)
    presence.leave_now(m("a"))
    enter(presence, "a", "Zoe")
    assert presence.due(1.0) == Diff("i1", 2, (card("a", "Zoe"),), (), 1)


def test_a_room_that_starts_again_does_not_announce_who_was_there() -> None:
    presence = house()
    for n in range(COUNTS_ABOVE + 5):
        enter(presence, n)
    presence.settle()
    assert not presence.has_news
    assert presence.due(0.0) is None


def test_presence_off_says_nothing_and_what_passed_by_leaves_a_rev_out() -> None:
    presence = house()
    enter(presence, "a")
    assert presence.due(0.0) is not None
    enter(presence, "b")
    assert presence.due(5.0, "off") is None
    assert not presence.has_news
    assert presence.due(9.0) is None
    enter(presence, "c")
    assert presence.due(10.0) == Diff("i1", 3, (card("c"),), (), 3), "2 is left out: b was never told"


# Counts


def test_a_large_room_is_counted_and_a_smaller_one_told_again_with_hysteresis() -> None:
    presence = crowd(COUNTS_ABOVE - 1)
    assert presence.rev == 1
    enter(presence, "one")
    enter(presence, "more")
    assert presence.due(1.0) == Counted("i1", 3, 251), "at once, with a rev left out: the list is not kept any more"
    for n in range(50):
        presence.leave_now(m(n))
    assert presence.online == 201
    assert presence.due(6.0) == Counted("i1", 4, 201)
    presence.leave_now(m(50))
    assert presence.online == DIFF_UP_TO
    assert presence.due(7.0) == Diff("i1", 6, (), (m(50),), 200)
    enter(presence, "again")
    assert presence.due(8.0) == Diff("i1", 7, (card("again"),), (), 201)


@pytest.mark.parametrize(("size", "change"), [(251, 3), (300, 3), (301, 4), (499, 5), (1_000, 5), (10_000, 5)])
def test_counts_come_every_five_seconds_if_they_changed_by_one_percent_or_five(size: int, change: int) -> None:
    presence = crowd(size)
    for n in range(change - 1):
        presence.leave_now(m(n))
    assert not presence.has_news
    assert presence.due(20.0) is None
    presence.leave_now(m(change))
    assert presence.has_news
    assert presence.due(4.0) is None
    assert presence.due(5.0) == Counted("i1", presence.rev, size - change)


# The list


def names(presence: Presence, page: int) -> list[str]:
    return [str(shown.nickname) for shown in presence.page(page).members]


def test_members_are_listed_by_nickname_in_pages() -> None:
    presence = house()
    assert (presence.page(1).members, presence.page(1).pages, presence.page(1).online) == ((), 1, 0)
    for n in range(401):
        enter(presence, n, f"{'nN'[n % 2]}ame-{n:03}")
    pages = [presence.page(number) for number in (1, 2, 3)]
    assert [len(page.members) for page in pages] == [200, 200, 1]
    assert {(page.pages, page.online) for page in pages} == {(3, 401)}
    listed = [name for number in (1, 2, 3) for name in names(presence, number)]
    assert listed == sorted(listed, key=str.casefold)
    assert [names(presence, number) for number in (-1, 0, 4)] == [[], [], []]
    presence.leave_now(m(0))
    assert (presence.page(2).pages, names(presence, 3)) == (2, [])


def test_the_list_follows_those_who_come_and_go() -> None:
    presence = house()
    for who in "bd":
        enter(presence, who, who)
    assert names(presence, 1) == ["b", "d"]
    enter(presence, "c", "C")
    enter(presence, "a", "a")
    presence.leave_now(m("b"))
    presence.leave_seat(m("d"))
    assert names(presence, 1) == ["a", "C", "d"], "who is within grace is still here"


# Ten thousand at once


def test_a_storm_costs_a_few_looks_each_even_if_all_want_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = sorts = 0

    def counted(text: str) -> str:
        nonlocal looks
        looks += 1
        return skeleton(text)

    def counted_sort(rows: object) -> list[object]:
        nonlocal sorts
        sorts += 1
        return sorted(rows)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(actors.room.presence, "sorted", counted_sort, raising=False)
    presence = Presence("i1", counted, with_suffix)
    said: list[Announcement] = []
    for n in range(10_000):
        enter(presence, n, "guest")
        assert len(presence._before) <= COUNTS_ABOVE
        if n % 100 == 0:
            presence.page(1)
            said += [news for news in [presence.due(n / 1_000)] if news is not None]
    assert looks <= 3 * 10_000
    assert sorts == 1
    assert len(said) <= 4
    assert presence.online == 10_000


def test_names_that_everyone_wanted_are_forgotten_with_them() -> None:
    presence = house()
    for n in range(50):
        enter(presence, n, "guest")
        called(presence, n, f"other {n}")
        called(presence, n, "guest")
    for n in range(50):
        presence.leave_now(m(n))
    assert (presence._here, presence._taken, presence._wanted) == ({}, {}, {})
    assert enter(presence, "x", "guest") == "guest"
