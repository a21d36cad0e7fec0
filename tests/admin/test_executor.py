"""Orders over a real house: what they change, what their undo puts back, what is on record."""

from typing import Any

import pytest
from trio.testing import MockClock

from actors.admin.deeds import Deed, Phase
from actors.admin.orders import Denied, Outcome, Pending, UndoKind
from actors.admin.roles import Role
from tests.admin.office import open_office

MAIN = {"room": "main-stage"}


async def test_a_freeze_is_carried_out_recorded_and_undone(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        done = await office.do("room.freeze", MAIN, reason="fight near the bar")
        assert done.undo is UndoKind.EXACT
        assert (await office.room())["frozen"] is True
        undone = await office.do("act.undo", {"act": done.act})
        assert undone.detail["restored"] == [["room:main-stage", "frozen", False]]
        assert (await office.room())["frozen"] is False
        assert await office.audit() == [("ana", "room.freeze", "ok"), ("ana", "act.undo", "ok")]
        assert [event.kind for event in office.house.feed.replay() if event.kind == "act"] == ["act", "act"]
        assert await office.refused("act.undo", {"act": done.act}) == "conflict"


async def test_undo_of_a_freeze_leaves_the_slow_mode_that_somebody_set_meanwhile(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        freeze = await office.do("room.freeze", MAIN)
        await office.do("room.slow", MAIN | {"seconds": 10}, by="bo", role=Role.MODERATOR)
        await office.do("act.undo", {"act": freeze.act})
        shown = await office.room()
        assert (shown["frozen"], shown["slow_s"]) == (False, 10.0)


async def test_undo_leaves_what_a_later_act_wrote_and_says_so(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        first = await office.do("room.slow", MAIN | {"seconds": 5})
        second = await office.do("room.slow", MAIN | {"seconds": 10}, by="bo")
        undone = await office.do("act.undo", {"act": first.act})
        assert undone.detail["left"] == [{"what": ["room:main-stage", "slow_s"], "value": 10.0, "by": second.act}]
        assert (await office.room())["slow_s"] == 10.0
        await office.do("act.undo", {"act": second.act})
        assert (await office.room())["slow_s"] == 0.0


async def test_a_dry_run_says_what_would_change_and_changes_nothing(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        await office.come(1, "main-stage")
        would = await office.do("room.freeze", MAIN, dry_run=True)
        assert would.dry_run
        assert would.act == ""
        assert would.affected == 1
        assert would.detail["changes"] == [{"what": ["room:main-stage", "frozen"], "before": False, "after": True}]
        assert (await office.room())["frozen"] is False
        assert await office.audit() == [("ana", "room.freeze", "dry_run")]


async def test_a_retry_is_answered_with_the_first_outcome_and_done_once(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        first = await office.do("house.announce", {"text": "doors at 8"}, cid="same")
        again = await office.do("house.announce", {"text": "doors at 8"}, cid="same")
        assert again == first
        assert await office.texts() == ["doors at 8"]
        assert await office.refused("house.announce", {"text": "doors at 9"}, cid="same") == "cid_reused"
        await office.do("house.announce", {"text": "doors at 9"}, cid="same", by="bo")


async def test_a_timed_act_is_lifted_by_itself_and_recorded(autojump_clock: MockClock) -> None:
    import trio

    async with open_office() as office:
        done = await office.do("room.freeze", MAIN, ttl_s=60.0)
        assert done.undo_until == office.house.clock.now().wall + 60, "then the house itself has undone it"
        assert (await office.do("act.list")).detail["items"][0]["undo_until"] == done.undo_until
        await trio.sleep(59)
        assert (await office.room())["frozen"] is True
        await trio.sleep(3)
        assert (await office.room())["frozen"] is False
        assert (await office.audit())[-1] == ("house", "act.undo", "ok")


async def test_what_is_cleared_is_hidden_at_once_and_erased_when_it_can_no_longer_be_undone(
    autojump_clock: MockClock,
) -> None:
    import trio

    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        await office.post(guest, "rude")
        first = await office.do("room.clear", MAIN)
        assert await office.texts() == ["Tombstone"]
        await office.do("act.undo", {"act": first.act})
        assert await office.texts() == ["rude"]
        second = await office.do("room.clear", MAIN)
        await trio.sleep(601)
        assert await office.refused("act.undo", {"act": second.act}) == "conflict"
        await office.post(guest, "polite")
        assert await office.texts() == ["Tombstone", "polite"]


async def test_a_wrong_revision_is_a_conflict(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        done = await office.do("room.freeze", MAIN)
        assert await office.refused("room.thaw", MAIN, expect_rev=done.rev - 1) == "conflict"
        await office.do("room.thaw", MAIN, expect_rev=done.rev)


async def test_the_revision_that_is_told_is_the_one_that_stands(autojump_clock: MockClock) -> None:
    """Of an alert it was the one before, of a message hidden or a room cleared the entry's number, of an undo 0: all
    were refused as `expect_rev`."""
    async with open_office() as office:
        seq = (await office.post(await office.come(1, "main-stage"), "rude")).seq
        rev = (await office.do("room.freeze", MAIN)).rev
        for name, args in (("message.hide", {"seq": seq}), ("message.pin", {"seq": seq}), ("room.clear", {})):
            done = await office.do(name, {**MAIN, **args}, expect_rev=rev)
            assert done.rev == rev == (await office.room())["rev"], name
        undone = await office.do("act.undo", {"act": done.act}, expect_rev=rev)
        assert undone.rev == rev
        alert = {"alert": (raised := await office.do("alert.raise", DRILL, confirm="DRILL")).detail["alert"]}
        worse = await office.do("alert.update", alert | {"changes": {"headline": "Run"}}, expect_rev=raised.rev)
        assert (raised.rev, worse.rev) == (1, 2)
        await office.do("alert.all_clear", alert, expect_rev=worse.rev)


async def test_wiping_waits_for_a_second_person_and_no_glass_helps(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        await office.post(guest, "secret")
        assert await office.refused("house.wipe") == "confirm"
        word = {"confirm": "WIPE North Fields"}
        pending = await office.give("house.wipe", break_glass=True, **word)
        assert isinstance(pending, Pending)
        assert await office.refused("house.wipe", confirm_of=pending.id, **word) == "second_person"
        done = await office.do("house.wipe", by="bo", confirm_of=pending.id, **word)
        assert done.detail["rooms"] == 2
        assert await office.texts() == ["Tombstone"]
        assert await office.refused("house.wipe", by="bo", confirm_of=pending.id, **word) == "second_person"
        results = [row[2] for row in await office.audit()]
        assert results == ["confirm", "pending", "second_person", "ok", "second_person"]


async def test_breaking_the_glass_is_loud(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        args = {"level": 1}
        assert isinstance(await office.give("house.lockdown", args, confirm="STAFF ONLY"), Pending)
        await office.do("house.lockdown", args, confirm="STAFF ONLY", break_glass=True)
        assert office.house.standing.lockdown == 1
        assert (await office.audit())[-1] == ("ana", "house.lockdown", "break_glass")
        assert any(event.kind == "fault" and "glass" in event.text for event in office.house.feed.replay())


async def test_calm_restores_what_was_before(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        await office.do("house.lockdown", {"level": 4})
        await office.do("house.calm")
        assert office.house.standing.lockdown == 3
        assert (await office.do("house.show")).detail["calm"] is True
        await office.do("house.uncalm")
        assert office.house.standing.lockdown == 4
        assert (await office.do("house.show")).detail["calm"] is False
        assert await office.refused("house.uncalm") == "conflict"


async def test_mute_ban_and_kick(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        await office.do("member.mute", {"member": guest.member}, ttl_s=30.0)
        assert (await office.post(guest, "hm")).reason == "muted"
        shown = (await office.do("member.show", {"member": guest.member})).detail
        assert [each["kind"] for each in shown["sanctions"]] == ["mute"]
        await office.do("member.unmute", {"member": guest.member})
        await office.post(guest, "thanks")
        await office.do("member.kick", {"member": guest.member, "room": "main-stage"})
        assert guest.told("removed")
        ban = await office.do("member.ban", {"member": guest.member})
        assert guest.parted == [4403]
        assert office.house.standing.may_come_in(guest.member, "10.0.0.7", 0.0) is not None
        await office.do("act.undo", {"act": ban.act})
        assert office.house.standing.may_come_in(guest.member, "10.0.0.7", 0.0) is None


async def test_messages_are_hidden_restored_and_pinned(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        stored = await office.post(guest, "look here")
        place = MAIN | {"seq": stored.seq}
        hidden = await office.do("message.hide", place)
        assert await office.texts() == ["Tombstone"]
        await office.do("act.undo", {"act": hidden.act})
        assert await office.texts() == ["look here"]
        await office.do("message.pin", place)
        assert (await office.room())["pinned"] == stored.seq
        await office.do("message.unpin", MAIN)
        assert (await office.room())["pinned"] is None
        assert await office.refused("message.hide", MAIN | {"seq": 999}) == "not_found"


async def test_a_room_is_made_changed_deleted_and_brought_back(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        made = await office.do("room.create", {"room": "vip", "title": "VIP", "zone": "north", "capacity": 50})
        assert made.undo is UndoKind.COMPENSATING
        assert office.house.alert_board.zones == {"vip": "north"}
        assert await office.refused("room.create", {"room": "vip"}) == "conflict"
        changed = await office.do("room.update", {"room": "vip", "title": "Guests", "zone": "south"})
        assert office.house.alert_board.zones == {"vip": "south"}
        await office.do("act.undo", {"act": changed.act})
        shown = await office.room("vip")
        assert (shown["title"], shown["zone"], shown["capacity"]) == ("VIP", "north", 50)
        deleted = await office.do("room.delete", {"room": "vip"})
        guest = await office.come(1)
        assert (await office.join(guest, "vip")).reason == "unknown_room"
        await office.do("act.undo", {"act": deleted.act})
        await office.join(guest, "vip")
        assert "vip" in guest.seats


async def test_an_evacuation_keeps_a_ledger_and_people_are_called_back(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        first, second = await office.come(1, "main-stage"), await office.come(2, "main-stage")
        args = MAIN | {"to": "quiet-room"}
        assert await office.refused("room.evacuate", args) == "confirm"
        done = await office.do("room.evacuate", args, confirm="main-stage")
        assert done.detail["people"] == 2
        assert "members" not in done.detail
        assert first.told("removed")
        assert second.told("removed")
        assert (await office.join(first, "main-stage")).reason == "forbidden"
        await office.join(first, "quiet-room")
        ledger = (await office.room())["evacuation"]
        assert (ledger["moved"], ledger["not_moved"], ledger["missing"]) == (1, 1, [second.member])
        back = await office.do("room.return", MAIN)
        assert back.detail["called_back"] == 1
        assert (await office.room())["closed"] is False
        assert await office.refused("room.return", MAIN) == "not_found"
        for act in (done, await office.do("room.create", {"room": "new-room"})):
            told = await office.give("act.undo", {"act": act.act})
            assert isinstance(told, Denied)
            assert f"{act.detail['undo_with']} makes up for it" in told.message


async def test_people_are_called_back_however_much_was_done_since(autojump_clock: MockClock) -> None:
    """After a thousand acts nobody had been sent away."""
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        await office.do("room.evacuate", MAIN | {"to": "quiet-room"}, confirm="main-stage")
        await office.join(guest, "quiet-room")
        noted = [
            Deed(f"act_{n}", "room.slow", "bo", f"c{n}", {"room": "quiet-room"}, "", 0.0, phase=Phase.FINAL)
            for n in range(1_001)
        ]
        for deed in noted:
            await office.deeds.finish(deed)
        assert (await office.do("room.return", MAIN)).detail["called_back"] == 1


async def test_what_makes_up_for_a_new_room_is_something_that_its_maker_may_order(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        for role in (Role.OPERATOR, Role.SAFETY):
            room = {"room": f"by-{role.word}"}
            made = await office.do("room.create", room, by=role.word, role=role)
            await office.do(made.detail["undo_with"], room, by=role.word, role=role)


async def test_a_member_is_erased_for_good_after_ten_minutes(autojump_clock: MockClock) -> None:
    import trio

    async with open_office() as office:
        guest, other = await office.come(1, "main-stage"), await office.come(2, "main-stage")
        await office.post(guest, "mine")
        await office.post(other, "theirs")
        done = await office.do("member.erase", {"member": guest.member})
        assert done.detail["messages"] == 1
        assert await office.texts() == ["Tombstone", "theirs"]
        await trio.sleep(602)
        page = await office.house.log.read("main-stage", after=0, before=None, limit=10, max_bytes=10_000)  # type: ignore[arg-type]
        assert not any(getattr(entry.body, "text", "") == "mine" for entry in page.entries)
        assert not getattr(page.entries[0].body, "hidden", False), "gone, not only hidden"


async def test_exports_are_paged_and_formulas_defused(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        for text in ("=1+1", "plain", "+49", "@you", "-1"):
            await office.post(guest, text)
        found = (await office.do("room.export", MAIN | {"format": "csv"})).detail
        assert found["lines"][0] == "seq,ts,member,nickname,kind,text"
        assert [line.rpartition(",")[2] for line in found["lines"][1:]] == ["'=1+1", "plain", "'+49", "'@you", "'-1"]
        lines: list[str] = []
        after: Any = 0
        while after is not None:
            page = (await office.do("room.export", MAIN | {"after": after})).detail
            lines += page["lines"]
            after = page["next"]
        assert len(lines) == 5
        assert ("ana", "room.export", "ok") in await office.audit()


async def test_questions_are_not_recorded(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        for name in ("room.list", "member.list", "act.list", "activity.page", "house.show", "operator.list"):
            assert isinstance(await office.give(name), Outcome)
        assert await office.audit() == []


async def test_a_refused_order_is_recorded_too(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        assert await office.refused("room.freeze", {"room": "nowhere-here"}) == "unknown_room"
        assert await office.refused("room.freeze", {"room": "UPPER"}) == "bad_frame"
        assert await office.refused("room.slow", MAIN | {"seconds": 1, "secnods": 2}) == "bad_frame"
        assert await office.refused("room.freeze", MAIN, role=Role.MODERATOR) == "forbidden"
        assert [row[2] for row in await office.audit()] == ["unknown_room", "bad_frame", "bad_frame", "forbidden"]


async def test_who_may_not_give_an_order_may_not_undo_it(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        done = await office.do("house.lockdown", {"level": 4})
        assert await office.refused("act.undo", {"act": done.act}, role=Role.MODERATOR) == "forbidden"
        assert await office.refused("act.undo", {"act": "act_unknown"}) == "not_found"


@pytest.mark.parametrize(("ttl_s", "code"), [(0.5, "bad_frame"), (8 * 86_400.0, "bad_frame")])
async def test_times_have_bounds(autojump_clock: MockClock, ttl_s: float, code: str) -> None:
    async with open_office() as office:
        assert await office.refused("room.freeze", MAIN, ttl_s=ttl_s) == code
        assert await office.refused("room.clear", MAIN, ttl_s=60.0) == "bad_frame"


async def test_secrets_are_in_no_record(autojump_clock: MockClock, quick_hashes: None) -> None:
    async with open_office() as office:
        made = await office.do("token.create", {"name": "robot", "role": "viewer"}, cid="t1")
        assert made.detail["secret"].startswith("bt1.")
        again = await office.do("token.create", {"name": "robot", "role": "viewer"}, cid="t1")
        assert "secret" not in again.detail
        await office.do("operator.add", {"name": "bo", "role": "viewer", "password": "four unrelated words"})
        rows = await office.ops.store.audit.page(limit=100)
        assert all("unrelated" not in row.args for row in rows)
        deeds = await office.deeds.page(None, 100)
        assert all(made.detail["secret"] not in str(deed) for deed in deeds)


async def test_a_denied_effect_leaves_nothing_behind_and_may_be_tried_again(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        bad = await office.give("operator.add", {"name": "x!", "role": "viewer", "password": "short"}, cid="o1")
        assert isinstance(bad, Denied)
        assert await office.deeds.page(None, 10) == []


async def test_an_announcement_reaches_every_room_and_a_wipe_erases_every_room(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        guest = await office.come(1, "main-stage", "quiet-room")
        done = await office.do("house.announce", {"text": "doors at 8"})
        assert done.detail["rooms"] == 2
        assert "failed" not in done.detail
        assert await office.texts("main-stage") == await office.texts("quiet-room") == ["doors at 8"]
        for room in ("main-stage", "quiet-room"):
            await office.post(guest, "said", room)
        word = {"confirm": "WIPE North Fields"}
        pending = await office.give("house.wipe", **word)
        assert isinstance(pending, Pending)
        wiped = await office.do("house.wipe", by="bo", confirm_of=pending.id, **word)
        assert wiped.detail["rooms"] == 2
        assert "said" not in [*await office.texts("main-stage"), *await office.texts("quiet-room")]


DRILL = {
    "status": "exercise", "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "shelter",
    "headline": "Storm", "expires_s": 600, "all": True,
}  # fmt: skip


async def test_an_alert_waits_for_no_other_act(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    import trio

    from actors.admin.executors import PLANNERS
    from actors.admin.plans import Hands, Plan

    async def for_ever(hands: Hands, order: Any) -> Plan:
        await trio.sleep(50)
        return Plan()

    monkeypatch.setitem(PLANNERS, "house.announce", for_ever)
    async with open_office() as office:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(office.do, "house.announce", {"text": "slow"})
            await trio.sleep(0.1)
            raised = await office.do("alert.raise", DRILL, confirm="DRILL")
            assert trio.current_time() - began < 1
            assert raised.detail["alert"].startswith("A")
        rows = (await office.do("alert.list")).detail["items"]
        assert [row["headline"] for row in rows] == ["Storm"]
        snapshot = office.house.board.snapshot("alerts")
        assert snapshot is not None
        assert office.house.outside.alerts_active() == 1


async def test_an_alert_can_be_taken_back_until_it_is_over(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        for ending in ("alert.cancel", "alert.all_clear"):
            raised = await office.do("alert.raise", DRILL, confirm="DRILL")
            alert = {"alert": raised.detail["alert"]}
            updated = await office.do("alert.update", alert | {"changes": {"headline": "Bigger storm"}})
            assert [done.detail["undo_with"] for done in (raised, updated)] == ["alert.cancel"] * 2
            assert "undo_with" not in (await office.do(ending, alert)).detail


async def test_an_alert_goes_out_though_nothing_can_be_recorded_and_once_though_it_is_retried(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors.admin.store import StoreFailed

    async with open_office() as office:

        async def full(*_: Any, **__: Any) -> Any:
            raise StoreFailed("the disk is full")

        monkeypatch.setattr(office.ops.store, "run", full)
        assert await office.refused("room.freeze", MAIN) == "unavailable"
        first = await office.do("alert.raise", DRILL, confirm="DRILL", cid="a1")
        again = await office.do("alert.raise", DRILL, confirm="DRILL", cid="a1")
        assert again == first
        monkeypatch.undo()
        assert len((await office.do("alert.list")).detail["items"]) == 1
        assert any("not on record" in event.text for event in office.house.feed.replay())


async def test_half_an_act_is_put_back(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    from actors.admin.registers_rooms import RoomHand

    async with open_office() as office:
        await office.do("room.create", {"room": "vip", "title": "VIP"})

        async def broken(self: Any, room: Any, changes: Any, mark: Any) -> Denied:
            return Denied("unavailable", "the room is set apart", 1_000)

        monkeypatch.setattr(RoomHand, "set_policy", broken)
        assert await office.refused("room.update", {"room": "vip", "title": "New", "capacity": 5}) == "unavailable"
        monkeypatch.undo()
        assert (await office.room("vip"))["title"] == "VIP"
        assert [deed.name for deed in await office.deeds.page(None, 10)] == ["room.create"]


async def test_an_order_that_makes_the_admin_stumble_is_answered_and_the_next_one_is_carried_out(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors.admin.executors import PLANNERS

    async def stumble(hands: Any, order: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setitem(PLANNERS, "house.announce", stumble)
    async with open_office() as office:
        frozen = await office.do("room.freeze", MAIN)
        assert await office.refused("house.announce", {"text": "x"}) == "internal"
        assert (await office.do("room.slow", MAIN | {"seconds": 3})).act
        await office.do("act.undo", {"act": frozen.act})
        assert (await office.room())["frozen"] is False, "what could be undone before the crash still can"


async def test_members_are_found_whether_they_are_here_or_not(autojump_clock: MockClock) -> None:
    import trio

    from actors.names import Nickname, member_of

    async with open_office() as office:
        guest = await office.come(1, "main-stage")
        for number, name in ((7, "Guest of honour"), (8, "100%_real"), (9, "Robin")):
            office.house.log.seen(member_of(number.to_bytes(16, "big")), Nickname(name))
        await trio.sleep(2)

        async def found(text: str) -> list[tuple[str, bool]]:
            items = (await office.do("member.find", {"text": text})).detail["items"]
            return [(item["nickname"], item["online"]) for item in items]

        page = (await office.do("member.find", {"text": "guest", "limit": 1})).detail
        assert (len(page["items"]), page["more"]) == (1, True)
        assert await found("guest") == [("Guest 1", True), ("Guest of honour", False)]
        assert await found("%_") == [("100%_real", False)]
        assert await found(guest.member) == [("Guest 1", True)]
        assert await found("nobody") == []
