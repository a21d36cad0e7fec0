"""Who gets in, who waits, who is locked out; and what nobody may learn from it."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import argon2
import pytest
import trio
from attrs import define

from actors.admin import operators, signin
from actors.admin.operators import hash_password
from actors.admin.orders import Denied
from actors.admin.roles import Role
from actors.admin.signin import FAILURES, INSECURE, REMEMBERED, WINDOW_S, WRONG, Lockouts, Signed, SignIn
from actors.admin.store import AdminStore, StoreFailed

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.usefixtures("quick_hashes")


@define
class Desk:
    store: AdminStore
    signin: SignIn
    notices: list[tuple[str, str, str]]
    wall: list[float]
    mono: list[float]

    async def password(self, name: str = "ana", password: str = PASSWORD, address: str = "a") -> Signed | Denied:
        return await self.signin.password(name, password, address, secure=True)

    async def code(self, name: str = "ana", password: str = PASSWORD, address: str = "a") -> str:
        found = await self.password(name, password, address)
        return "in" if isinstance(found, Signed) else found.code

    def pass_(self, seconds: float) -> None:
        self.mono[0] += seconds
        self.wall[0] += seconds


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    wall, mono = [1e9], [0.0]
    async with await AdminStore.open(None, wall=lambda: wall[0]) as store:
        notices: list[tuple[str, str, str]] = []
        await store.operators.add("ana", Role.OWNER, hash_password("ana", PASSWORD))
        await store.operators.add("bo", Role.VIEWER, hash_password("bo", PASSWORD))
        signin = SignIn(store, mono=lambda: mono[0], notice=lambda *told: notices.append(told))
        yield Desk(store, signin, notices, wall, mono)


# -- passwords ---------------------------------------------------------------------------------------------------------


async def test_a_password_brings_in_and_its_session_brings_back(desk: Desk) -> None:
    signed = await desk.password(" ANA ")
    assert isinstance(signed, Signed)
    assert (signed.operator, signed.role, desk.signin.still(signed.session)) == ("ana", Role.OWNER, Role.OWNER)
    assert await desk.signin.token(signed.token, "b", secure=True) == signed
    assert desk.notices == [("ana", "a", "signed in"), ("ana", "b", "came back from another address")]


async def test_wrong_unknown_and_disabled_are_told_the_same(desk: Desk) -> None:
    await desk.store.operators.update("bo", disabled=True)
    told = [await desk.password(*pair) for pair in (("ana", "wrong password"), ("nobody", PASSWORD), ("bo", PASSWORD))]
    told.append(await desk.password("Kein Name!", PASSWORD))
    assert told == [Denied("unauthorized", WRONG)] * 4
    assert not any(PASSWORD in text or "wrong password" in text for notice in desk.notices for text in notice)


async def test_an_unknown_name_costs_a_whole_hash(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(signin, "password_fits", lambda hashed, password: bool(seen.append(hashed)))
    for name in ("ana", "nobody"):
        await desk.password(name, "x")
    assert len(seen) == 2
    monkeypatch.undo()
    ours, nobodys = argon2.extract_parameters(operators.HASHER.hash("x")), argon2.extract_parameters(seen[1])
    assert ours == nobodys
    with pytest.raises(argon2.exceptions.VerifyMismatchError):  # it is compared to the end, not refused as nonsense
        argon2.PasswordHasher().verify(seen[1], "x")


async def test_hashing_leaves_the_loop_alone_and_takes_two_threads_at_most(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    within, most, lock, go = [0], [0], threading.Lock(), threading.Event()

    def slow(hashed: str, password: str) -> bool:
        with lock:
            within[0] += 1
            most[0] = max(most[0], within[0])
        go.wait(30)
        with lock:
            within[0] -= 1
        return True

    monkeypatch.setattr(signin, "password_fits", slow)
    codes: list[str] = []

    async def one(number: int) -> None:
        codes.append(await desk.code(address=f"a{number}"))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(one, number)
        while within[0] < 2 or len(codes) < 4:
            await trio.lowlevel.checkpoint()  # the loop runs while both threads are at work
        assert codes == ["busy"] * 4
        go.set()
    assert most == [2]
    assert sorted(codes) == ["busy"] * 4 + ["in"] * 16


# -- lockout -----------------------------------------------------------------------------------------------------------


async def test_each_failure_doubles_the_wait_and_the_fifth_locks_out(desk: Desk) -> None:
    waits = []
    for _ in range(FAILURES):
        assert await desk.code(password="wrong one") == "unauthorized"
        denied = await desk.password()
        assert isinstance(denied, Denied)
        assert denied.code == "rate"
        waits.append(round((denied.retry_after_ms or 0) / 1000))
        desk.pass_(waits[-1] if len(waits) < FAILURES else 0)
    assert waits == [1, 2, 4, 8, WINDOW_S]
    desk.pass_(WINDOW_S - 1)
    assert await desk.code() == "rate"
    desk.pass_(1.1)
    assert await desk.code() == "in"


async def test_a_lockout_holds_for_one_name_from_one_address_and_live_sessions_go_on(desk: Desk) -> None:
    signed = await desk.password(address="home")
    assert isinstance(signed, Signed)
    for _ in range(FAILURES):
        assert await desk.code(password="wrong one") == "unauthorized"
        desk.pass_(20)
    assert await desk.code() == "rate"
    assert (await desk.code("bo"), await desk.code(address="b")) == ("in", "in")
    await desk.signin.refresh()
    assert desk.signin.still(signed.session) is Role.OWNER
    assert isinstance(await desk.signin.token(signed.token, "a", secure=True), Signed)


async def test_a_name_is_the_same_however_it_is_written(desk: Desk) -> None:
    assert await desk.code("ana", "wrong one") == "unauthorized"
    assert await desk.code("ＡＮＡ") == "rate"


async def test_a_success_forgets_the_failures(desk: Desk) -> None:
    for _ in range(3):
        assert await desk.code(password="wrong one") == "unauthorized"
        desk.pass_(10)
        assert await desk.code() == "in"


async def test_many_at_once_are_no_more_than_one(desk: Desk) -> None:
    codes: list[str] = []

    async def one() -> None:
        codes.append(await desk.code(password="wrong one"))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one)
    assert sorted(codes) == ["rate"] * 9 + ["unauthorized"]


async def test_a_failing_disk_is_no_failure_of_the_operator(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any, **__: Any) -> Any:
        raise StoreFailed("no", 3.0)

    for _ in range(FAILURES + 1):
        with monkeypatch.context() as broken:
            broken.setattr(AdminStore, "run", fails)
            assert await desk.password() == Denied("unavailable", "no", 3_000)
    assert await desk.code() == "in"


def test_the_table_of_failures_is_bounded_and_keeps_those_who_are_locked_out() -> None:
    table = Lockouts()
    for n in range(FAILURES):
        assert table.attempt("ana", "a", 100.0 * n) == 0
    for n in range(REMEMBERED * 2):
        table.attempt(f"name{n}", "a", 500.0)
        assert len(table) <= REMEMBERED
    assert table.attempt("ana", "a", 500.0) > 0
    assert table.attempt("another", "a", 500.0 + WINDOW_S) == 0
    assert len(table) == 1


# -- where, tokens -----------------------------------------------------------------------------------------------------


async def test_nobody_signs_in_over_plain_http(desk: Desk) -> None:
    ways = [
        await desk.signin.password("ana", PASSWORD, "a", secure=False),
        await desk.signin.token("bs1." + "x" * 43, "a", secure=False),
        await desk.signin.setup("x", "ana", PASSWORD, "a", secure=False),
    ]
    assert ways == [Denied("forbidden", INSECURE)] * 3


async def test_a_session_ends_after_12_hours_and_after_an_hour_without_a_connection(desk: Desk) -> None:
    signed = await desk.password()
    assert isinstance(signed, Signed)
    for _ in range(23):
        desk.pass_(1_800)
        await desk.signin.refresh()
        assert desk.signin.still(signed.session) is Role.OWNER
    desk.pass_(1_801)
    await desk.signin.refresh()
    assert desk.signin.still(signed.session) is None
    idle = await desk.password()
    assert isinstance(idle, Signed)
    desk.signin.forget(idle.session)
    desk.pass_(3_599)
    assert isinstance(await desk.signin.token(idle.token, "a", secure=True), Signed)
    desk.signin.forget(idle.session)
    desk.pass_(3_601)
    assert isinstance(await desk.signin.token(idle.token, "a", secure=True), Denied)
    await desk.store.sessions.forget_expired()
    assert await desk.store.run(lambda db: db.execute("SELECT count(*) FROM sessions").fetchone()) == (0,)


async def test_whoever_loses_the_right_is_out_at_the_next_look(desk: Desk) -> None:
    async def enter() -> Signed:
        found = await desk.password("bo")
        assert isinstance(found, Signed)
        return found

    signed = await enter()
    assert await desk.signin.end_session(signed.session)
    assert desk.signin.still(signed.session) is None
    assert not await desk.signin.end_session(signed.session)
    for change in ({"disabled": True}, {"role": Role.OPERATOR}, {"password_hash": "x"}):
        await desk.store.operators.update("bo", disabled=False, password_hash=hash_password("bo", PASSWORD))
        signed = await enter()
        await desk.store.operators.update("bo", **change)  # type: ignore[arg-type]
        await desk.signin.refresh()
        assert desk.signin.still(signed.session) is None
        assert isinstance(await desk.signin.token(signed.token, "a", secure=True), Denied)


async def test_who_is_as_before_stays_in(desk: Desk) -> None:
    """An order that changed nothing signed them out everywhere."""
    signed = await desk.password("bo")
    assert isinstance(signed, Signed)
    await desk.store.operators.update("bo", role=signed.role, disabled=False)
    await desk.signin.refresh()
    assert desk.signin.still(signed.session) is not None


async def test_programs_come_in_by_token_until_it_is_revoked_or_over(desk: Desk) -> None:
    issued = await desk.store.tokens.create("probe", Role.VIEWER, "ana", desk.wall[0] + 100)
    signed = await desk.signin.token(issued.secret, "a", secure=True)
    assert signed == Signed("token:probe", Role.VIEWER, issued.id, "")
    await desk.signin.refresh()
    assert desk.signin.still(issued.id) is Role.VIEWER
    desk.pass_(101)
    await desk.signin.refresh()
    assert desk.signin.still(issued.id) is None
    assert isinstance(await desk.signin.token(issued.secret, "a", secure=True), Denied)
    again = await desk.store.tokens.create("probe", Role.SAFETY, "ana")
    assert await desk.store.tokens.revoke("probe")
    assert not await desk.store.tokens.revoke(again.id)
    assert isinstance(await desk.signin.token(again.secret, "a", secure=True), Denied)


@pytest.mark.parametrize("secret", ["", "x", "bs1.", "b1." + "x" * 43, "bs1." + "é" * 43, "bt1." + "x" * 43 + "\n"])
async def test_what_is_no_token_is_refused(desk: Desk, secret: str) -> None:
    found = await desk.signin.token(secret, "a", secure=True)
    assert isinstance(found, Denied)
    assert found.code == "unauthorized"


async def test_changed_tokens_are_refused(desk: Desk) -> None:
    issued = await desk.store.tokens.create("probe", Role.OWNER, "ana")
    for at in range(4, len(issued.secret)):
        other = issued.secret[:at] + ("A" if issued.secret[at] != "A" else "B") + issued.secret[at + 1 :]
        assert isinstance(await desk.signin.token(other, "a", secure=True), Denied)


# -- the first operator ------------------------------------------------------------------------------------------------


@pytest.fixture
async def empty() -> AsyncIterator[Desk]:
    wall, mono = [1e9], [0.0]
    async with await AdminStore.open(None, wall=lambda: wall[0]) as store:
        yield Desk(store, SignIn(store, mono=lambda: mono[0]), [], wall, mono)


async def test_the_code_makes_one_owner_once(empty: Desk) -> None:
    code = await empty.signin.offer_setup()
    assert code is not None
    assert empty.signin.needs_setup
    for wrong in ("", code[:-1], code + "a", "é"):
        denied = await empty.signin.setup(wrong, "ana", PASSWORD, "a", secure=True)
        assert isinstance(denied, Denied)
        assert denied.code == "setup"
    signed = await empty.signin.setup(f" {code.upper()} ", "Ana", PASSWORD, "a", secure=True)
    assert isinstance(signed, Signed)
    assert (signed.operator, signed.role) == ("ana", Role.OWNER)
    assert not empty.signin.needs_setup
    again = await empty.signin.setup(code, "eve", PASSWORD, "a", secure=True)
    assert isinstance(again, Denied)
    assert again.code == "setup"
    assert await empty.signin.offer_setup() is None
    assert [each.name for each in await empty.store.operators.list()] == ["ana"]


async def test_the_code_is_over_after_a_quarter_of_an_hour_and_when_another_is_made(empty: Desk) -> None:
    code, newer = await empty.signin.offer_setup(), await empty.signin.offer_setup()
    assert code
    assert newer
    assert isinstance(await empty.signin.setup(code, "ana", PASSWORD, "a", secure=True), Denied)
    empty.pass_(15 * 60)
    assert isinstance(await empty.signin.setup(newer, "ana", PASSWORD, "a", secure=True), Denied)
    assert await empty.store.operators.count() == 0


async def test_a_name_or_password_that_will_not_do_does_not_use_up_the_code(empty: Desk) -> None:
    code = await empty.signin.offer_setup()
    assert code
    for name, password in (("ana", "short"), ("a n a", PASSWORD), ("local", PASSWORD)):
        assert isinstance(await empty.signin.setup(code, name, password, "a", secure=True), Denied)
    assert isinstance(await empty.signin.setup(code, "ana", PASSWORD, "a", secure=True), Signed)


async def test_an_operator_made_on_the_command_line_meanwhile_closes_the_way(empty: Desk) -> None:
    code = await empty.signin.offer_setup()
    assert code
    await empty.store.operators.add("bo", Role.OWNER, "hash")
    assert isinstance(await empty.signin.setup(code, "eve", PASSWORD, "a", secure=True), Denied)
    assert [each.name for each in await empty.store.operators.list()] == ["bo"]


async def test_of_many_with_the_code_at_once_one_gets_in(empty: Desk) -> None:
    code = await empty.signin.offer_setup()
    assert code
    found: list[Signed | Denied] = []

    async def one(name: str) -> None:
        found.append(await empty.signin.setup(code, name, PASSWORD, "a", secure=True))

    async with trio.open_nursery() as nursery:
        for name in "abcdef":
            nursery.start_soon(one, name)
    assert sum(isinstance(each, Signed) for each in found) == 1
    assert await empty.store.operators.count() == 1


# -- secrets -----------------------------------------------------------------------------------------------------------


async def test_no_secret_is_in_a_repr_or_on_disk(tmp_path: Path) -> None:
    async with await AdminStore.open(tmp_path / "admin.db") as store:
        signin = SignIn(store)
        code = await signin.offer_setup()
        assert code
        signed = await signin.setup(code, "ana", PASSWORD, "a", secure=True)
        issued = await store.tokens.create("probe", Role.VIEWER, "ana")
        credentials = await store.operators.credentials("ana")
        assert isinstance(signed, Signed)
        assert credentials is not None
        secrets = [PASSWORD, signed.token, issued.secret, code, code.replace("-", "")]
        key = (tmp_path / "admin.key").read_text().split()[-1]
        shown = repr([signed, issued, credentials, store, signin, vars(signin), vars(store)])
        assert not [each for each in (*secrets, key, credentials.password) if each in shown]
    files = [tmp_path / name for name in ("admin.db", "admin.heads")]
    on_disk = b"".join(path.read_bytes() for path in files)
    assert not [each for each in (*secrets, key) if each.encode() in on_disk]
