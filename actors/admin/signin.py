"""Signing in: passwords, sessions, tokens, and the first operator.

An unknown name costs the same time as a wrong password. After a failure whoever tries the same name from the same
address waits, twice as long each time; after five within a quarter of an hour nobody gets in that way for the rest of
it, and sessions that are there go on. The way out is the command line on the machine itself.

Every sign-in is in the audit, and so are the refusals: many of one source within a minute are one row with their number
(signin_record.py). What was typed as a name is only recorded where somebody has that name."""

import hmac
import math
import secrets
from collections.abc import Callable, Iterator
from typing import TypeVar

import trio
from attrs import define, field, frozen

from actors.admin.operators import BadOperator, hash_password, operator_name, password_fits
from actors.admin.orders import Denied
from actors.admin.roles import Role
from actors.admin.sessions import SESSION_PREFIX, Issued, Session, hash_of, looks_like_one
from actors.admin.sessions_held import HeldSessions
from actors.admin.signin_record import COMMAND, Tries, Try
from actors.admin.store import AdminStore, StoreFailed
from actors.admin.store_audit import Entry

T = TypeVar("T")
HASHED_AT_ONCE = 2
WAITING_MOST = 16
"""Passwords under way, those that wait for a thread included; some two seconds' worth. Then `busy`."""
FAILURES = 5
WINDOW_S = 15 * 60.0
FIRST_DELAY_S = 1.0
REMEMBERED = 4_096
"""Pairs of name and address in the table of failures."""
SETUP_S = 15 * 60.0
REFRESH_S = 1.0
COMERS = 100
"""Programs, and sessions from another address, of which it is told apart that they come in."""
WRONG = "this name and password do not belong together"
INSECURE = "passwords do not travel over plain HTTP: use https, or the machine itself"
CAME = {
    "session": "came back from another address",
    "token": "a program came in",
    "password": "a sign-in is recorded late",
    "setup": "a sign-in is recorded late",
}
SAID = {
    "unauthorized": "wrong name, password or token",
    "rate": "too many failures",
    "locked_out": "too many failures, locked out for 15 minutes",
    "setup": "not the code",
    "forbidden": "not over plain HTTP",
}
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNvbWVzb21lc29tZQ$c1K8QdSO1zBmYdUQyRBLYMkYeyrd4bGqLnDH9hXcGH0"
"""What the password of a name that nobody has is compared with: nothing fits."""


@frozen
class Signed:
    """Who has signed in, and as what. `session`: the name of the session, or of the token. `token`: what a later
    connection shows instead of the password, for 12 hours."""

    operator: str
    role: Role
    session: str
    token: str = field(repr=False, default="")


@define
class _Failures:
    count: int = 0
    last: float = 0.0


@define
class Lockouts:
    """Failures by (name, address). Pure; `now` rises. An attempt counts as failed from its beginning, so that many at
    once are no more than many in a row."""

    limit: int = REMEMBERED
    _table: dict[tuple[str, str], _Failures] = field(init=False, factory=dict)

    def __len__(self) -> int:
        return len(self._table)

    def attempt(self, name: str, address: str, now: float) -> float:
        """0: go on, then `succeeded`, `undecided`, or neither. Otherwise: seconds to wait; it has not counted."""
        key = name, address
        entry = self._table.get(key)
        if entry is not None and now - entry.last >= WINDOW_S:
            del self._table[key]
            entry = None
        if entry is not None:
            delay = WINDOW_S if entry.count >= FAILURES else FIRST_DELAY_S * 2 ** (entry.count - 1)
            if entry.count and now < entry.last + delay:
                return entry.last + delay - now
            del self._table[key]  # to the end: the order is that of the last failure
        self._make_room(now)
        entry = self._table[key] = entry or _Failures()
        entry.count, entry.last = entry.count + 1, now
        return 0.0

    def is_locked_out(self, name: str, address: str) -> bool:
        entry = self._table.get((name, address))
        return entry is not None and entry.count >= FAILURES

    def succeeded(self, name: str, address: str) -> None:
        self._table.pop((name, address), None)

    def undecided(self, name: str, address: str) -> None:
        """Neither right nor wrong: the disk would not say."""
        entry = self._table.get((name, address))
        if entry is not None:
            entry.count -= 1
            if not entry.count:
                del self._table[name, address]

    def _make_room(self, now: float) -> None:
        """Whoever was locked out stays longest: filling the table is no way out of it."""
        for key in [key for key, entry in self._table.items() if now - entry.last >= WINDOW_S]:
            del self._table[key]
        while len(self._table) >= self.limit:
            mild = (key for key, entry in self._table.items() if entry.count < FAILURES)
            del self._table[next(mild, next(iter(self._table)))]


class SignIn:
    """`notice`: told of what is recorded, in words without secrets: (operator, address, text). `secure` in each call:
    the connection is encrypted, or comes from this machine, or the settings allow it; the caller says."""

    def __init__(
        self,
        store: AdminStore,
        *,
        mono: Callable[[], float] = trio.current_time,
        notice: Callable[[str, str, str], None] = lambda operator, address, text: None,
    ) -> None:
        self._store = store
        self._mono = mono
        self._notice = notice
        self._lockouts = Lockouts()
        self._threads = trio.CapacityLimiter(HASHED_AT_ONCE)
        self._under_way = 0
        self._code: bytes | None = None
        self._code_until = 0.0
        self._living: dict[str, Role] = {}
        self._refused, self._come_in = Tries(), Tries(COMERS)
        self._held = HeldSessions()
        self._known: set[str] = set()
        """Names that somebody has, or had when they were looked up."""
        self.needs_setup = False
        """There is no operator. As of the last look."""

    # -- ways in -------------------------------------------------------------------------------------------------------

    async def password(self, operator: str, password: str, address: str, *, secure: bool) -> Signed | Denied:
        """Denied: unauthorized, rate (with a time), forbidden (not `secure`), busy, unavailable."""
        if not secure:
            return await self._insecure("password", address)
        try:
            name = operator_name(operator)
        except BadOperator:
            name = operator[:64]  # nobody has it; that is for the hash to find out
        wait_s = self._lockouts.attempt(name, address, self._mono())
        if wait_s:
            await self._refuse("password", "rate", address, name)
            return Denied("rate", "too many failures: wait", _ms(wait_s))
        if self._under_way >= WAITING_MOST:
            self._lockouts.undecided(name, address)
            return Denied("busy", "too many sign in at once", 1_000)
        self._under_way += 1
        try:
            return await self._checked(name, password, address)
        except StoreFailed as wrong:
            self._lockouts.undecided(name, address)
            return _unavailable(wrong)
        finally:
            self._under_way -= 1

    async def token(self, secret: str, address: str, *, secure: bool) -> Signed | Denied:
        """A session's token, or a program's."""
        if not secure:
            return await self._insecure("token", address)
        if not looks_like_one(secret):
            await self._refuse("token", "unauthorized", address)
            return Denied("unauthorized", "this is not a token")
        try:
            signed = await (
                self._session(secret, address) if secret.startswith(SESSION_PREFIX) else self._program(secret, address)
            )
        except StoreFailed as wrong:
            return _unavailable(wrong)
        if signed is None:
            await self._refuse("token", "unauthorized", address)
            return Denied("unauthorized", "this token is not in force: sign in again")
        self._living[signed.session] = signed.role
        return signed

    async def setup(self, code: str, operator: str, password: str, address: str, *, secure: bool) -> Signed | Denied:
        """The first operator, an owner, by the code of `offer_setup`: once, in time, while there is no operator."""
        if not secure:
            return await self._insecure("setup", address)
        held, until = self._code, self._code_until
        if held is None or self._mono() >= until or not hmac.compare_digest(held, hash_of(_plain(code))):
            await self._refuse("setup", "setup", address)
            return Denied("setup", "this code is not valid (any more): start the server again, or `operators add`")
        self._code = None  # taken; given back where nothing came of it
        try:
            name = operator_name(operator)
            hashed = await self._in_thread(hash_password, name, password)
            made = Entry(name, address, "operator.add", {"name": name, "role": Role.OWNER.word, "by": "setup"})
            await self._store.recorded(lambda _: (made,)).operators.add(name, Role.OWNER, hashed, first=True)
        except BadOperator as wrong:
            self._code = held
            return Denied("conflict" if not self.needs_setup else "bad_frame", str(wrong))
        except StoreFailed as wrong:
            self._code = held
            return _unavailable(wrong)
        except BaseException:  # whatever it was, a cancellation too: the code was not used up
            self._code = held
            raise
        self.needs_setup = False
        try:
            return await self._begin(name, address, "setup")
        except StoreFailed as wrong:
            return _unavailable(wrong)

    async def offer_setup(self) -> str | None:
        """A code for `setup`, valid for a quarter of an hour; the one before is not any more. None: there is an
        operator. StoreFailed."""
        self.needs_setup = not await self._store.operators.count()
        if not self.needs_setup:
            return None
        letters = "abcdefghjkmnpqrstuvwxyz23456789"
        code = "".join(secrets.choice(letters) for _ in range(20))
        self._code, self._code_until = hash_of(code), self._mono() + SETUP_S
        return "-".join(code[at : at + 5] for at in range(0, 20, 5))

    # -- those inside --------------------------------------------------------------------------------------------------

    def still(self, session: str) -> Role | None:
        """The role as of the last look, at most a second ago; None: signed out, disabled, removed, run out."""
        return self._living.get(session)

    def forget(self, session: str) -> None:
        """It has no connection any more."""
        self._living.pop(session, None)

    async def end_session(self, session: str) -> bool:
        """At once, for its connections too. StoreFailed."""
        self._living.pop(session, None)
        return self._held.change(session, None) or await self._store.sessions.end(session)

    async def refresh(self) -> None:
        """Look who is still in: after every change of operators, sessions or tokens, and each second by `keep`, since
        the command line changes the same file. StoreFailed."""
        ids = set(self._living)
        sessions = await self._store.sessions.in_use(ids)
        tokens = await self._store.tokens.in_force()
        self.needs_setup = not await self._store.operators.count()
        held = await self._look_at_held()
        for each in ids & set(self._living):
            now = sessions.get(each) or tokens.get(each) or held.get(each)
            if now is None:
                del self._living[each]
            else:
                self._living[each] = now.role

    async def _look_at_held(self) -> dict[str, Session]:
        for each in self._held.all(self._store.wall()):
            found = await self._store.operators.credentials(each.operator)
            lost = found is None or found.operator.disabled
            self._held.change(each.id, None if lost or found is None else found.operator.role)
        return {each.id: each for each in self._held.all(self._store.wall())}

    async def keep(self, seconds: float = REFRESH_S) -> None:
        """A task: `refresh` for ever, and the number of those who were refused, each minute. While the disk will not
        answer, those inside stay inside."""
        while True:
            try:
                await self.refresh()
                await self.record_counted(self._mono())
            except StoreFailed as wrong:
                await trio.sleep(wrong.retry_after_s)
            await trio.sleep(seconds)

    async def record_counted(self, now: float = math.inf) -> None:
        """What was counted in minutes that are over by `now`; without it, all that was. Never raises StoreFailed."""
        for tries in (self._refused, self._come_in):
            for one in tries.over(now):
                await self._record(tries, one)

    # -- within --------------------------------------------------------------------------------------------------------

    async def _checked(self, name: str, password: str, address: str) -> Signed | Denied:
        found = await self._store.operators.credentials(name)
        if found is not None:
            self._known.add(name)
        fits = await self._in_thread(password_fits, _NOBODY if found is None else found.password, password[:1024])
        if found is None or not fits or found.operator.disabled:
            await self._refuse("password", "unauthorized", address, name)
            if self._lockouts.is_locked_out(name, address):
                await self._refuse("password", "locked_out", address, name)
            return Denied("unauthorized", WRONG)
        self._lockouts.succeeded(name, address)
        return await self._begin(name, address, "password")

    async def _begin(self, name: str, address: str, by: str) -> Signed | Denied:
        def describe(begun: object) -> Iterator[Entry]:
            if isinstance(begun, tuple):
                yield Entry(name, address, COMMAND, {"by": by, "session": begun[0].id})

        try:
            begun = await self._store.recorded(describe).sessions.begin(name, address)
        except StoreFailed:
            if not self._store.failing:
                raise
            begun = await self._begin_unrecorded(name, address, by)
        if begun is None:
            return Denied("unauthorized", WRONG)
        session, issued = begun
        self._living[session.id] = session.role
        self._notice(name, address, "signed in")
        return _signed(session, issued)

    async def _begin_unrecorded(self, name: str, address: str, by: str) -> tuple[Session, Issued] | None:
        """Nobody comes in unrecorded, but for this: while the disk takes nothing, and an alarm says so, whoever
        has to send an alert gets in, and is recorded later. StoreFailed."""
        found = await self._store.operators.credentials(name)
        if found is None or found.operator.disabled:
            return None
        await self._note(self._come_in, Try(name, address, by, "ok"))
        return self._held.begin(name, found.operator.role, address, self._store.wall())

    async def _session(self, secret: str, address: str) -> Signed | None:
        found = self._held.check(secret, self._store.wall()) or await self._store.sessions.check(secret)
        if found is None:
            return None
        if found.address != address:  # from its own one, coming back is no news
            await self._note(self._come_in, Try(found.operator, address, "session", "ok"))
        return _signed(found, Issued(found.id, secret))

    async def _program(self, secret: str, address: str) -> Signed | None:
        found = await self._store.tokens.check(secret)
        if found is None:
            return None
        await self._note(self._come_in, Try(found.operator, address, "token", "ok"))
        return Signed(found.operator, found.role, found.id)

    async def _insecure(self, by: str, address: str) -> Denied:
        await self._refuse(by, "forbidden", address)
        return Denied("forbidden", INSECURE)

    async def _refuse(self, by: str, result: str, address: str, name: str = "") -> None:
        """The refusal stands whether or not it can be recorded."""
        await self._note(self._refused, Try(name if name in self._known else "", address, by, result))

    async def _note(self, tries: Tries, one: Try) -> None:
        row = tries.note(one, self._mono())
        if row is not None:
            await self._record(tries, row)

    async def _record(self, tries: Tries, one: Try) -> None:
        try:
            await self._store.audit.record(one.entry())
        except StoreFailed:
            tries.unrecorded(one, self._mono())
            return
        often = f", {one.count} times in a minute" if one.count > 1 else ""
        said = CAME[one.by] if one.result == "ok" else f"sign-in by {one.by} refused: {SAID[one.result]}"
        self._notice(one.operator, one.address, said + often)

    async def _in_thread(self, call: Callable[[str, str], T], first: str, second: str) -> T:
        """Two at a time: each takes 64 MiB. Who goes away leaves the thread to its end, and does not make a place for
        another before it."""
        return await trio.to_thread.run_sync(call, first, second, limiter=self._threads)


def _signed(session: Session, issued: Issued) -> Signed:
    return Signed(session.operator, session.role, session.id, issued.secret)


def _plain(code: str) -> str:
    return code.strip().lower().replace("-", "")[:64]


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _unavailable(wrong: StoreFailed) -> Denied:
    return Denied("unavailable", str(wrong), _ms(wrong.retry_after_s))
