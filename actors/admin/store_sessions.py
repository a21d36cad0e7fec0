"""Sessions and tokens on disk. They are looked up by their hash: how long that takes says nothing about the secret."""

import secrets
import sqlite3
from collections.abc import Callable, Iterable
from functools import partial

from attrs import frozen

from actors.admin.operators import BadOperator
from actors.admin.roles import Role
from actors.admin.sessions import (
    SESSION_IDLE_S,
    SESSION_KEEP_S,
    SESSION_PREFIX,
    TOKEN_PREFIX,
    Issued,
    Session,
    Token,
    hash_of,
    new_secret,
)
from actors.admin.store_run import Runs, StoreFailed

SESSIONS = """SELECT sessions.id, operator, role, address, sessions.created, sessions.seen, expires
    FROM sessions JOIN operators ON operator = name
    WHERE NOT disabled AND expires > :now AND sessions.seen > :now - :idle"""
TOKENS = "SELECT id, name, role, author, created, expires, revoked, seen FROM tokens"
VALID = "revoked IS NULL AND (expires IS NULL OR expires > :now)"
SESSIONS_EACH = 20
"""Of one operator; a new one ends the one that was not in use for longest."""


@frozen
class Expired:
    """`late`: after its 12 hours; otherwise it was idle."""

    id: str
    operator: str
    address: str
    late: bool


@frozen
class SessionTable:
    """A session ends after 12 hours, after an hour without a connection, when it is ended, and with its operator."""

    _store: Runs
    _wall: Callable[[], float]
    keep_s: float = SESSION_KEEP_S
    idle_s: float = SESSION_IDLE_S

    async def begin(self, operator: str, address: str) -> tuple[Session, Issued] | None:
        """None: the operator has gone, or was disabled, in this moment."""
        now, issued = self._wall(), Issued("s_" + secrets.token_hex(8), new_secret(SESSION_PREFIX))

        def job(db: sqlite3.Connection) -> tuple[Session, Issued] | None:
            db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                (issued.id, operator, hash_of(issued.secret), address, now, now, now + self.keep_s),
            )
            db.execute(
                "DELETE FROM sessions WHERE operator = ?1 AND id NOT IN "
                "(SELECT id FROM sessions WHERE operator = ?1 ORDER BY seen DESC, id = ?2 DESC LIMIT ?3)",
                (operator, issued.id, SESSIONS_EACH),
            )
            db.execute("UPDATE operators SET seen = ? WHERE name = ?", (now, operator))
            found = db.execute(f"{SESSIONS} AND sessions.id = :id", self._at(now, id=issued.id)).fetchone()
            return None if found is None else (_session(found), issued)

        return await self._store.run(job, write=True)

    async def check(self, secret: str) -> Session | None:
        """The session that this secret stands for, with the operator's role as of now; it counts as in use."""
        now = self._wall()

        def job(db: sqlite3.Connection, noted: bool = True) -> Session | None:
            found = db.execute(f"{SESSIONS} AND hash = :hash", self._at(now, hash=hash_of(secret))).fetchone()
            if found is not None and noted:
                db.execute("UPDATE sessions SET seen = ? WHERE id = ?", (now, found[0]))
            return None if found is None else _session(found)

        try:
            return await self._store.run(job, write=True)
        except StoreFailed:  # who is in the book may come in, whether or not the visit can be noted
            return await self._store.run(partial(job, noted=False))

    async def list(self) -> tuple[Session, ...]:
        """Those that hold, newest first."""
        return await self._store.run(self._living)

    async def in_use(self, ids: Iterable[str]) -> dict[str, Session]:
        """These have a connection, so they are not idle. Those of them that hold, by id."""
        used, now = list(ids), self._wall()

        def job(db: sqlite3.Connection) -> dict[str, Session]:
            living = {each.id: each for each in self._living(db) if each.id in used}
            stale = [(now, each.id) for each in living.values() if now - each.seen >= 60.0]
            if stale:
                db.execute("BEGIN IMMEDIATE")
                db.executemany("UPDATE sessions SET seen = ? WHERE id = ?", stale)
                db.execute("COMMIT")
            return living

        return await self._store.run(job)

    async def end(self, session: str) -> bool:
        """False: there is none of that id."""
        ended = "DELETE FROM sessions WHERE id = ?"
        return await self._store.run(lambda db: db.execute(ended, (session,)).rowcount > 0, write=True)

    async def forget_expired(self) -> tuple[Expired, ...]:
        """Those whose time was over, or that had no connection for too long."""
        now = self._wall()
        which = "FROM sessions WHERE expires <= :now OR seen <= :now - :idle"

        def job(db: sqlite3.Connection) -> tuple[Expired, ...]:
            rows = db.execute(f"SELECT id, operator, address, expires <= :now {which}", self._at(now)).fetchall()
            db.execute(f"DELETE {which}", self._at(now))
            return tuple(Expired(id, operator, address, bool(late)) for id, operator, address, late in rows)

        return await self._store.run(job, write=True)

    def _living(self, db: sqlite3.Connection) -> tuple[Session, ...]:
        rows = db.execute(f"{SESSIONS} ORDER BY sessions.created DESC, sessions.id", self._at(self._wall()))
        return tuple(_session(row) for row in rows)

    def _at(self, now: float, **more: object) -> dict[str, object]:
        return {"now": now, "idle": self.idle_s, **more}


@frozen
class TokenTable:
    _store: Runs
    _wall: Callable[[], float]

    async def create(self, name: str, role: Role, author: str, expires: float | None = None) -> Issued:
        """`expires`: Unix seconds. BadOperator: one of that name is in force."""
        now, issued = self._wall(), Issued("t_" + secrets.token_hex(8), new_secret(TOKEN_PREFIX))

        def job(db: sqlite3.Connection) -> Issued:
            if db.execute(f"{TOKENS} WHERE name = :name AND {VALID}", {"name": name, "now": now}).fetchone():
                raise BadOperator(f"there is a token {name} already: revoke it first, or take another name")
            db.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (issued.id, name, int(role), hash_of(issued.secret), author, now, expires),
            )
            return issued

        return await self._store.run(job, write=True)

    async def check(self, secret: str) -> Token | None:
        """The token in force that this secret is."""
        now = self._wall()

        def job(db: sqlite3.Connection, noted: bool = True) -> Token | None:
            where = {"hash": hash_of(secret), "now": now}
            found = db.execute(f"{TOKENS} WHERE hash = :hash AND {VALID}", where).fetchone()
            if found is not None and noted:
                db.execute("UPDATE tokens SET seen = ? WHERE id = ?", (now, found[0]))
            return None if found is None else _token(found)

        try:
            return await self._store.run(job, write=True)
        except StoreFailed:
            return await self._store.run(partial(job, noted=False))

    async def behind(self, operator: str) -> frozenset[str]:
        """Of a program: its name, and who made a token of that name, and so on where that was a program as well."""
        query = """WITH RECURSIVE behind(who) AS
            (SELECT ? UNION SELECT author FROM tokens JOIN behind ON who = 'token:' || name) SELECT who FROM behind"""
        return await self._store.run(lambda db: frozenset(who for (who,) in db.execute(query, (operator,))))

    async def list(self) -> tuple[Token, ...]:
        """All, those that are over included, newest first."""
        rows = f"{TOKENS} ORDER BY created DESC, id"
        return await self._store.run(lambda db: tuple(_token(row) for row in db.execute(rows)))

    async def in_force(self) -> dict[str, Token]:
        """By id."""
        now = self._wall()
        rows = f"{TOKENS} WHERE {VALID}"
        return await self._store.run(lambda db: {row[0]: _token(row) for row in db.execute(rows, {"now": now})})

    async def revoke(self, token: str) -> bool:
        """By id or name. False: none of that id or name is in force."""
        now = self._wall()
        revoke = f"UPDATE tokens SET revoked = :now WHERE (id = :token OR name = :token) AND {VALID}"  # noqa: S608
        return await self._store.run(
            lambda db: db.execute(revoke, {"now": now, "token": token}).rowcount > 0, write=True
        )


def _session(row: tuple[str, str, int, str, float, float, float]) -> Session:
    id, operator, role, address, created, seen, expires = row
    return Session(id, operator, Role(role), address, created, seen, expires)


def _token(row: tuple[str, str, int, str, float, float | None, float | None, float | None]) -> Token:
    id, name, role, author, created, expires, revoked, seen = row
    return Token(id, name, Role(role), author, created, expires, revoked, seen)
