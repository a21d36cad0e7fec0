"""What is said and not yet stored: the pure part, and the names that it gives."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bandstand.client import uuid7
from bandstand.outbox import Letter, Outbox
from gateway.protocol import client


def letter(room: str, cid: str) -> Letter:
    return Letter(room, cid, lambda number: client.Leave(number, client.RoomName(room)))


def test_one_letter_a_room_is_on_its_way_and_rooms_do_not_wait_for_each_other() -> None:
    box = Outbox()
    first, second, other = letter("a", "1"), letter("a", "2"), letter("b", "3")
    for each in (first, second, other):
        box.add(each)
    assert box.next("a", 0.0) is first
    assert box.next("a", 0.0) is None
    assert box.next("b", 0.0) is other
    box.settle(first)
    assert box.next("a", 0.0) is second
    assert [each.cid for each in box] == ["2", "3"]


def test_a_letter_that_must_wait_holds_up_those_behind_it() -> None:
    box = Outbox()
    first, second = letter("a", "1"), letter("a", "2")
    box.add(first)
    box.add(second)
    box.next("a", 0.0)
    box.postpone(first, 8.0)
    assert box.next("a", 7.9) is None
    assert box.due(["a", "nowhere"]) == 8.0
    assert box.next("a", 8.0) is first
    assert first.tries == 2
    assert box.due(["a"]) is None


def test_a_settled_letter_never_comes_back() -> None:
    box = Outbox(limit=1)
    one = letter("a", "1")
    box.add(one)
    assert box.full
    box.next("a", 0.0)
    box.settle(one)
    box.postpone(one, 0.0)
    box.connection_lost()
    box.settle(one)
    assert (len(box), box.next("a", 0.0)) == (0, None)


STEPS = st.lists(st.tuples(st.sampled_from(["add", "next", "ok", "later", "lost"]), st.sampled_from("ab")), max_size=60)


@given(STEPS)
def test_letters_of_a_room_are_settled_in_the_order_in_which_they_were_added(steps: list[tuple[str, str]]) -> None:
    box, under_way, done, added = Outbox(), dict[str, Any](), {"a": [], "b": []}, {"a": [], "b": []}  # type: ignore[var-annotated]
    for number, (act, room) in enumerate(steps):
        if act == "add":
            box.add(letter(room, str(number)))
            added[room].append(str(number))
        elif act == "next" and (found := box.next(room, float(number))) is not None:
            assert room not in under_way
            under_way[room] = found
        elif act == "lost":
            box.connection_lost()
            under_way.clear()
        elif room in under_way and act == "ok":
            done[room].append(under_way[room].cid)
            box.settle(under_way.pop(room))
        elif room in under_way and act == "later":
            box.postpone(under_way.pop(room), number + 2.0)
    for room in "ab":
        assert done[room] == added[room][: len(done[room])]
    assert len(box) == sum(map(len, added.values())) - sum(map(len, done.values()))


def test_cids_are_uuids_of_version_7_and_sort_by_time() -> None:
    made = [uuid7(lambda at=at: 1_790_000_000.0 + at / 1000) for at in range(50)]  # type: ignore[misc]
    assert made == sorted(made)
    assert len(set(made)) == 50
    pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert all(pattern.fullmatch(each) for each in made)
    fixed = uuid7(lambda: 0x017F22E279B0 / 1000, lambda n: b"\xff" * n)
    assert fixed == "017f22e2-79b0-7fff-bfff-ffffffffffff"
