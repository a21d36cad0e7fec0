"""Sign-ins in the audit: all of them, in rows that no attack can make many, and without a secret in any."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from attrs import define

from actors.admin.operators import hash_password
from actors.admin.orders import Denied
from actors.admin.roles import Role
from actors.admin.signin import FAILURES, Signed, SignIn
from actors.admin.signin_record import MANY, SOURCES, Tries, Try
from actors.admin.store import AdminStore, StoreFailed
from actors.admin.store_audit import AuditTable
from actors.admin.store_recorded import expired

PASSWORD = "correct horse battery"
WRONG = "a wrong password"
pytestmark = pytest.mark.usefixtures("quick_hashes")


def tried(tries: Tries, seconds: int, addresses: int, each_s: int) -> list[Try]:
    """What is recorded of `each_s` failures a second, from each of so many addresses in turn."""
    rows: list[Try] = []
    for now in range(seconds):
        for n in range(each_s):
            row = tries.note(Try("ana", f"10.0.0.{(now * each_s + n) % addresses}", "password", "unauthorized"), now)
            rows += [] if row is None else [row]
        rows += tries.over(now)
    return rows + tries.over(1e9)


def test_one_source_has_a_row_a_minute_however_often_it_tries() -> None:
    rows = tried(Tries(), 600, 1, 20)
    assert (rows[0].count, rows[1].count > 1) == (1, True)
    assert len(rows) <= 12
    assert sum(row.count for row in rows) == 600 * 20


def test_ten_thousand_addresses_have_forty_rows_a_minute_together_and_all_are_counted() -> None:
    tries = Tries()
    rows = tried(tries, 600, 10_000, 50)
    assert len(rows) <= 10 * 2 * (SOURCES + 1)
    assert sum(row.count for row in rows) == 600 * 50
    assert sum(row.count for row in rows if row.address == MANY) > 600 * 50 / 2
    tries.over(2e9)
    assert len(tries) == 0


def test_names_that_were_tried_do_not_make_more_sources_but_each_lockout_has_its_row() -> None:
    tries = Tries()
    assert tries.note(Try("ana", "a", "password", "unauthorized"), 0.0) is not None
    assert tries.note(Try("bo", "a", "password", "unauthorized"), 1.0) is None
    (row,) = tries.over(60.0)
    assert (row.operator, row.count) == ("", 1)
    lockouts = [tries.note(Try(name, "a", "password", "locked_out"), 61.0) for name in ("ana", "bo")]
    assert [row is not None and row.operator for row in lockouts] == ["ana", "bo"]


# -- rows of real sign-ins ---------------------------------------------------------------------------------------------


@define
class House:
    store: AdminStore
    signin: SignIn
    mono: list[float]

    async def enter(self, name: str = "ana", password: str = PASSWORD, address: str = "a") -> Signed | Denied:
        return await self.signin.password(name, password, address, secure=True)

    def pass_(self, seconds: float) -> None:
        self.mono[0] += seconds

    async def rows(self) -> list[tuple[str, str, dict[str, Any], str]]:
        """(operator, command, args without the session's name, result), oldest first. No secret is in any column."""
        found = list(reversed(await self.store.audit.page(limit=1_000)))
        assert not [row for row in found if PASSWORD in str(row) or WRONG in str(row) or "bs1." in str(row)]
        kept = [(row, json.loads(row.args)) for row in found]
        for _, args in kept:
            args.pop("session", None)
        assert await self.store.audit.verify() == []
        return [(row.operator, row.command, args, row.result) for row, args in kept]


@pytest.fixture
async def house() -> AsyncIterator[House]:
    mono = [0.0]
    async with await AdminStore.open(None, wall=lambda: 1e9 + mono[0]) as store:
        yield House(store, SignIn(store, mono=lambda: mono[0]), mono)


async def with_ana(house: House) -> None:
    await house.store.operators.add("ana", Role.OWNER, hash_password("ana", PASSWORD))


async def test_each_sign_in_and_each_end_of_a_session_is_on_record(house: House) -> None:
    code = await house.signin.offer_setup()
    assert code is not None
    assert isinstance(await house.signin.setup("nonsense", "ana", PASSWORD, "a", secure=True), Denied)
    signed = await house.signin.setup(code, "ana", PASSWORD, "a", secure=True)
    assert isinstance(signed, Signed)
    assert isinstance(await house.enter(), Signed)
    assert await house.signin.token(signed.token, "a", secure=True) == signed
    assert await house.signin.token(signed.token, "b", secure=True) == signed
    probe = await house.store.tokens.create("probe", Role.VIEWER, "ana")
    for _ in range(2):
        assert isinstance(await house.signin.token(probe.secret, "a", secure=True), Signed)
    house.pass_(3_600)
    await house.store.recorded(expired).sessions.forget_expired()
    await house.signin.record_counted()
    ok = "session.begin"
    assert await house.rows() == [
        ("", ok, {"by": "setup"}, "setup"),
        ("ana", "operator.add", {"name": "ana", "role": "owner", "by": "setup"}, "ok"),
        ("ana", ok, {"by": "setup"}, "ok"),
        ("ana", ok, {"by": "password"}, "ok"),
        ("ana", ok, {"by": "session"}, "ok"),
        ("token:probe", ok, {"by": "token"}, "ok"),
        ("ana", "session.expire", {"why": "idle"}, "ok"),
        ("ana", "session.expire", {"why": "idle"}, "ok"),
        ("token:probe", ok, {"by": "token"}, "ok"),
    ]


async def test_failures_and_lockouts_are_on_record_and_what_was_typed_as_a_name_is_not(house: House) -> None:
    await with_ana(house)
    assert isinstance(await house.enter(PASSWORD, "ana"), Denied)  # the two fields mixed up
    house.pass_(61)
    await house.signin.record_counted(house.mono[0])
    for _ in range(FAILURES):
        assert isinstance(await house.enter(password=WRONG), Denied)
        house.pass_(9)
    for _ in range(7):
        assert isinstance(await house.enter(), Denied)
    assert isinstance(await house.signin.token("bs1." + "x" * 43, "a", secure=True), Denied)
    assert isinstance(await house.signin.password("ana", PASSWORD, "a", secure=False), Denied)
    await house.signin.record_counted()
    by, begin = {"by": "password"}, "session.begin"
    assert await house.rows() == [
        ("", begin, by, "unauthorized"),
        ("ana", begin, by, "unauthorized"),
        ("ana", begin, by, "locked_out"),
        ("ana", begin, by, "rate"),
        ("", begin, {"by": "token"}, "unauthorized"),
        ("", begin, by, "forbidden"),
        ("ana", begin, by | {"count": 4, "within_s": 60.0}, "unauthorized"),
        ("ana", begin, by | {"count": 6, "within_s": 60.0}, "rate"),
    ]


async def test_who_cannot_be_recorded_does_not_come_in_and_a_refusal_is_counted_until_it_can(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise StoreFailed("the disk is full")

    await with_ana(house)
    with monkeypatch.context() as broken:
        broken.setattr(AuditTable, "write", full)
        denied = await house.enter()
        assert isinstance(denied, Denied)
        assert denied.code == "unavailable"
        assert await house.store.sessions.list() == ()
        assert isinstance(await house.enter(password=WRONG), Denied)
        await house.signin.record_counted()
    await house.signin.record_counted()
    assert await house.rows() == [("ana", "session.begin", {"by": "password"}, "unauthorized")]
