"""The operators' client: what it sends, what it says of a refusal, and what it does when the line is lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from bandstand.admin_client import Desk, sign_in
from bandstand.admin_line import AdminRefused, Credentials, DeskClosed, Done, Waiting, admin_address
from bandstand.client.comeback import Backoff
from bandstand.client.errors import CannotConnect
from gateway.protocol import admin
from tests.cli.fake_admin import CUT, PASSWORD, TOKEN, FakeAdmin, fake_admin, no


@asynccontextmanager
async def desk_of(fake: FakeAdmin, **credentials: str) -> AsyncIterator[Desk]:
    at_once = Backoff(uniform=lambda low, _: low)
    with trio.fail_after(20), fake_admin(fake) as url:
        async with sign_in(url, **(credentials or {"token": TOKEN}), backoff=at_once) as desk:
            yield desk


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://h", "/admin/ws"),
        ("https://h/ops", "/admin/ws"),
        ("ws://h/ws", "/admin/ws"),
        ("wss://h/admin/ws", "/admin/ws"),
        ("http://h/chat/", "/chat/admin/ws"),
    ],
)
def test_any_address_of_a_server_leads_to_its_admin_channel(url: str, path: str) -> None:
    assert admin_address(url).path == path


def test_credentials_are_not_told_in_a_repr() -> None:
    assert "secret" not in repr(Credentials("secret-token", "ana", "secret-word"))


async def test_an_order_carries_all_that_was_given_and_comes_back_as_its_outcome() -> None:
    fake = FakeAdmin({"room.freeze": {"affected": 1204, "undo_until": 5.0, "detail": {"x": 1}}})
    async with desk_of(fake) as desk:
        done = await desk.command("room.freeze", {"room": "main-stage"}, reason="a fight", ttl_s=600.0, expect_rev=6)
    assert done == Done("act_1", 7, 1204, "exact", 5.0, False, {"x": 1})
    sent = fake.commands("room.freeze")[0]
    assert (sent.args, sent.reason, sent.ttl_s, sent.expect_rev) == ({"room": "main-stage"}, "a fight", 600.0, 6)
    assert sent.cid is not None
    assert sent.cid[14] == "7"


async def test_a_password_signs_in_and_the_session_comes_back_by_its_own_token() -> None:
    fake = FakeAdmin({"house.show": [CUT, {"detail": {"lockdown": 5}}]})
    async with desk_of(fake, operator="bo", password=PASSWORD) as desk:
        assert (desk.operator, desk.role) == ("bo", "owner")
        assert await desk.read("house.show") == {"lockdown": 5}
    signs = [each for each in fake.seen if isinstance(each, admin.Auth)]
    assert [(each.token, each.operator) for each in signs] == [(None, "bo"), ("tok_session", None)]


async def test_an_order_cut_off_goes_out_again_under_the_same_cid() -> None:
    fake = FakeAdmin({"room.thaw": [CUT, CUT, {}]})
    async with desk_of(fake) as desk:
        assert isinstance(await desk.command("room.thaw", {"room": "main-stage"}, reason="over"), Done)
    cids = [each.cid for each in fake.commands("room.thaw")]
    assert len(cids) == 3
    assert len(set(cids)) == 1


async def test_a_session_that_is_no_longer_known_falls_back_on_the_credentials() -> None:
    fake = FakeAdmin({"house.show": [CUT, {}]}, refuse_sessions=True)
    async with desk_of(fake) as desk:
        await desk.read("house.show")
    assert [each.token for each in fake.seen if isinstance(each, admin.Auth)] == [TOKEN, "tok_session", TOKEN]


async def test_a_refusal_has_its_code_and_its_time() -> None:
    fake = FakeAdmin({"room.freeze": no("locked_down", "not now", retry=True, retry_after_ms=8_000)})
    async with desk_of(fake) as desk:
        with pytest.raises(AdminRefused, match="not now") as caught:
            await desk.command("room.freeze", {"room": "main-stage"}, reason="a fight")
    assert (caught.value.code, caught.value.retry, caught.value.retry_after_ms) == ("locked_down", True, 8_000)


async def test_too_fast_is_waited_out() -> None:
    fake = FakeAdmin({"house.show": [no("rate", retry=True, retry_after_ms=1), {"detail": {"a": 1}}]})
    async with desk_of(fake) as desk:
        assert await desk.read("house.show") == {"a": 1}


async def test_what_waits_for_a_second_person_is_no_outcome() -> None:
    fake = FakeAdmin({"house.drain": {"pending": "p_1", "expires": 60.0, "detail": {}}})
    async with desk_of(fake) as desk:
        assert await desk.command("house.drain", reason="night") == Waiting("p_1", 60.0, {})


async def test_a_wrong_token_is_refused_and_nobody_there_is_told_apart() -> None:
    with pytest.raises(AdminRefused, match="not right"):
        async with desk_of(FakeAdmin(), token="tok_wrong"):
            pass
    with pytest.raises(CannotConnect, match="does not answer"), trio.fail_after(20):
        async with sign_in("http://127.0.0.1:1", token=TOKEN):
            pass


async def test_a_version_that_does_not_fit_ends_it_with_what_bye_said() -> None:
    fake = FakeAdmin(welcome={"type": "bye", "code": 4406, "message": "another version"})
    with pytest.raises(CannotConnect, match="another version"):
        async with desk_of(fake):
            pass


async def test_a_list_comes_whole_from_its_pages() -> None:
    pages = {"": ([{"room": "a"}], "a"), "a": ([{"room": "b"}], None)}

    def page(frame: admin.Command) -> object:
        items, following = pages[frame.args.get("after", "")]
        return {"detail": {"items": items, "more": following is not None, "next": following}}

    async with desk_of(FakeAdmin({"room.list": page})) as desk:
        assert [row["room"] for row in await desk.items("room.list")] == ["a", "b"]


async def test_a_watch_of_the_feed_goes_on_from_where_it_stood() -> None:
    fake = FakeAdmin()
    fake.snapshots["activity"] = [{"events": [{"n": 1}, {"n": 2}]}, CUT, {"events": [{"n": 3}]}]  # type: ignore[list-item]
    async with desk_of(fake) as desk:
        heard: list[int] = []
        async for snapshot in desk.watch("activity"):
            heard += [event["n"] for event in snapshot["events"]]
            if len(heard) == 3:
                break
    assert heard == [1, 2, 3]
    assert [each.since for each in fake.seen if isinstance(each, admin.Watch)] == [None, 2]


async def test_a_slow_reader_gets_the_newest_figures_and_every_event() -> None:
    fake = FakeAdmin()
    fake.snapshots["stats"] = [{"at": float(n)} for n in range(10)]
    async with desk_of(fake) as desk:
        watch = desk.watch("stats")
        await anext(watch)
        while fake.snapshots["stats"]:  # noqa: ASYNC110 - of another thread
            await trio.sleep(0.01)
        await desk.read("house.show")  # answered after the last of them
        assert (await anext(watch))["at"] == 9.0


async def test_a_watch_that_is_let_go_of_is_ended_at_the_server_too() -> None:
    fake = FakeAdmin(snapshots={"stats": [{"at": 1.0}] * 1_000, "rooms": [{"at": 1.0}]})
    async with desk_of(fake) as desk:
        kept = desk.watch("rooms")
        await anext(kept)
        for _ in range(2):
            async for _snapshot in desk.watch("stats"):
                break
            await desk.read("house.show")
        await desk.read("house.show")  # so the server has read what was sent before it
    told = [(type(each), each.topic) for each in fake.seen if isinstance(each, admin.Watch | admin.Unwatch)]
    assert told == [(admin.Watch, "rooms"), *[(admin.Watch, "stats"), (admin.Unwatch, "stats")] * 2]


async def test_leaving_is_said_and_ends_what_waits() -> None:
    async with desk_of(FakeAdmin()) as desk:
        pass
    with pytest.raises(DeskClosed):
        await desk.command("house.show")


def test_an_address_takes_no_credential_along() -> None:
    assert "abc" not in repr(admin_address("http://h/?token=abc"))
