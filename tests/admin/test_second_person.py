"""An order that waits for a second person, as the activity feed tells of it; and the no."""

from typing import Any

from trio.testing import MockClock

from actors.admin.orders import Pending
from actors.admin.roles import Role
from tests.admin.office import Office, open_office

STORM = {
    "status": "actual", "severity": "severe", "urgency": "immediate", "certainty": "observed", "response": "shelter",
    "headline": "Storm", "expires_s": 3600, "all": True,
}  # fmt: skip


async def asked(office: Office) -> str:
    pending = await office.give("house.wipe", confirm="WIPE North Fields", reason="over")
    assert isinstance(pending, Pending)
    return pending.id


def told(office: Office) -> tuple[str, Any]:
    last = office.house.feed.since(0)[-1]
    return last.text, last.data


async def test_the_feed_carries_what_has_to_be_given_again(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        pending = await asked(office)
        _, data = told(office)
        assert (data["pending"], data["name"], data["args"], data["reason"]) == (pending, "house.wipe", {}, "over")
        assert data["expires"] == office.house.clock.now().wall + 60
        await office.do(data["name"], data["args"], by="bo", confirm_of=pending, confirm="WIPE North Fields")
        assert told(office)[1]["confirm_of"] == pending, "whoever shows it as waiting learns that it no longer does"


async def test_who_may_confirm_may_refuse_and_the_asker_takes_it_back(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        first = {"pending": await asked(office)}
        assert await office.refused("act.refuse", first, by="bo", role=Role.SAFETY) == "forbidden"
        assert (await office.do("act.refuse", first, by="bo")).detail["refused"] == "house.wipe"
        assert told(office)[0] == "bo says no to ana's house.wipe"
        assert told(office)[1]["pending"] == first["pending"]
        more = {"by": "bo", "confirm": "WIPE North Fields"}
        assert await office.refused("house.wipe", confirm_of=first["pending"], **more) == "second_person"
        assert await office.refused("act.refuse", first, by="bo") == "not_found", "once"
        second = {"pending": await asked(office)}
        await office.do("act.refuse", second)
        assert told(office)[0] == "ana says no to their own house.wipe"


# -- who the second person is ------------------------------------------------------------------------------------------


async def test_whoever_made_a_token_is_no_second_person_for_what_it_orders(autojump_clock: MockClock) -> None:
    """One person could wipe the house: by a token of their own, and then themselves."""
    async with open_office() as office:
        await office.do("token.create", {"name": "mine", "role": "owner"})
        await office.do("token.create", {"name": "its-own", "role": "owner"}, by="token:mine")
        word = {"confirm": "WIPE North Fields"}
        for program in ("token:mine", "token:its-own"):
            pending = await office.give("house.wipe", by=program, **word)
            assert isinstance(pending, Pending)
            assert await office.refused("house.wipe", confirm_of=pending.id, **word) == "second_person"
        await office.do("house.wipe", by="bo", confirm_of=pending.id, **word)


async def test_an_order_that_is_given_again_runs_once(autojump_clock: MockClock) -> None:
    """After a lost line the page gives an order again under its cid. It waited twice, and was carried out twice."""
    async with open_office(second_person=("alert.raise",)) as office:
        again = {"confirm": "SEND ALERT", "cid": "c1"}
        first, second = [await office.give("alert.raise", STORM, **again) for _ in range(2)]
        assert isinstance(first, Pending)
        assert isinstance(second, Pending)
        assert first.id == second.id
        assert [event.text for event in office.house.feed.replay()].count(
            "ana asks a second person for alert.raise"
        ) == 1
        done = await office.do("alert.raise", STORM, by="bo", confirm_of=first.id, confirm="SEND ALERT")
        more = {"confirm_of": first.id, "confirm": "SEND ALERT"}
        assert await office.refused("alert.raise", STORM, by="cy", **more) == "second_person"
        assert await office.do("alert.raise", STORM, **again) == done, "whoever asked hears what became of it"
        assert len((await office.do("alert.list")).detail["items"]) == 1
        results = [row[2] for row in await office.audit()]
        assert results == ["pending", "ok", "second_person"]


async def test_new_words_for_a_real_alert_need_a_second_person_as_it_did(autojump_clock: MockClock) -> None:
    async with open_office(second_person=("alert.raise",)) as office:
        draft = {**STORM, "correction": {"headline": "No storm", "text": "stay"}}
        raised = await office.do("alert.raise", draft, confirm="SEND ALERT", break_glass=True)
        alert = {"alert": raised.detail["alert"]}
        worse = alert | {"changes": {"headline": "Run", "severity": "minor"}}
        assert (await office.do("alert.update", worse, dry_run=True)).detail["second"] is True
        asked = await office.give("alert.update", worse)
        assert isinstance(asked, Pending)
        assert isinstance(await office.give("alert.correct", alert), Pending)
        assert await office.refused("act.refuse", {"pending": asked.id}, by="bo", role=Role.OPERATOR) == "forbidden"
        assert (await office.do("alert.show", alert)).detail["headline"] == "Storm"
        await office.do("alert.update", worse, by="bo", role=Role.SAFETY, confirm_of=asked.id)
        await office.do("alert.cancel", alert)
        drill = await office.do("alert.raise", {**draft, "status": "exercise"}, confirm="DRILL")
        await office.do("alert.correct", {"alert": drill.detail["alert"]})


async def test_a_real_alert_from_another_system_waits_as_one_of_our_own_does(autojump_clock: MockClock) -> None:
    """It went out at once: the setting named `alert.raise`, and the same alert came in by another door."""
    async with open_office(second_person=("alert.raise",)) as office:
        other = await office.do("alert.raise", STORM, confirm="SEND ALERT", break_glass=True)
        storm = {"xml": (await office.do("alert.export", {"alert": other.detail["alert"]})).detail["xml"]}
        more: Any = {"confirm": "SEND ALERT"}
        assert (await office.do("alert.import", storm, dry_run=True, **more)).detail["second"] is True
        pending = await office.give("alert.import", storm, **more)
        assert isinstance(pending, Pending)
        await office.do("alert.import", storm, by="bo", role=Role.SAFETY, confirm_of=pending.id, **more)
        assert len((await office.do("alert.list")).detail["items"]) == 2
        drill = {"xml": storm["xml"].replace("<status>Actual", "<status>Exercise")}
        await office.do("alert.import", drill, confirm="DRILL")


async def test_who_may_raise_a_drill_may_change_and_end_it_and_no_real_alert(autojump_clock: MockClock) -> None:
    async with open_office() as office:
        by: Any = {"by": "op", "role": Role.OPERATOR}
        for ending in ("alert.cancel", "alert.all_clear"):
            raised = await office.do("alert.raise", {**STORM, "status": "exercise"}, confirm="DRILL", **by)
            alert = {"alert": raised.detail["alert"]}
            await office.do("alert.update", alert | {"changes": {"headline": "Bigger"}}, **by)
            await office.do(ending, alert, **by)
        real = {"alert": (await office.do("alert.raise", STORM, confirm="SEND ALERT")).detail["alert"]}
        for name in ("alert.cancel", "alert.all_clear", "alert.correct"):
            assert await office.refused(name, real, **by) == "forbidden"
        assert await office.refused("alert.update", real | {"changes": {"headline": "x"}}, **by) == "forbidden"
        await office.do("alert.all_clear", real, role=Role.SAFETY)
