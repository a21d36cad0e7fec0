"""The operators on disk."""

import sqlite3
from collections.abc import Callable

from attrs import field, frozen

from actors.admin.operators import BadOperator, NoSuchOperator, Operator, operator_name
from actors.admin.roles import Role
from actors.admin.store_run import Runs

COLUMNS = "name, role, disabled, created, seen"


@frozen
class Credentials:
    operator: Operator
    password: str = field(repr=False)
    """argon2's text."""


@frozen
class OperatorTable:
    """There is always one owner who can sign in, once there has been one: the last may not be removed, disabled or
    given another role. Changes of password, role or `disabled`, and removal, end the operator's sessions. No token
    outlives what its author may: those of an operator who is removed or disabled are revoked, and those that may more
    than their author does from now on; and what was made with them."""

    _store: Runs
    _wall: Callable[[], float]

    async def add(self, name: str, role: Role, password_hash: str, *, first: bool = False) -> Operator:
        """`first`: only while there is no operator. BadOperator: the name cannot be used or is taken; not the first."""
        made = Operator(operator_name(name), role, False, self._wall(), None)

        def job(db: sqlite3.Connection) -> Operator:
            if first and _count(db):
                raise BadOperator("there is an operator already: sign in, or use the command line")
            if _find(db, made.name) is not None:
                raise BadOperator(f"there is an operator {made.name} already")
            db.execute(
                "INSERT INTO operators VALUES (?, ?, ?, 0, ?, NULL)",
                (made.name, int(role), password_hash, made.created),
            )
            return made

        return await self._store.run(job, write=True)

    async def list(self) -> tuple[Operator, ...]:
        return await self._store.run(_all)

    async def count(self) -> int:
        return await self._store.run(_count)

    async def credentials(self, name: str) -> Credentials | None:
        return await self._store.run(lambda db: _credentials(db, name))

    async def update(
        self,
        name: str,
        *,
        role: Role | None = None,
        disabled: bool | None = None,
        password_hash: str | None = None,
    ) -> Operator:
        """Only what is given; a change signs them out everywhere. NoSuchOperator; BadOperator: it is the last owner."""

        def job(db: sqlite3.Connection) -> Operator:
            was = _found(db, name)
            new_role = was.role if role is None else role
            new_disabled = was.disabled if disabled is None else disabled
            if new_role < Role.OWNER or new_disabled:
                _keep_an_owner(db, was)
            db.execute("UPDATE operators SET role = ?, disabled = ? WHERE name = ?", (new_role, new_disabled, name))
            if password_hash is not None:
                db.execute("UPDATE operators SET password = ? WHERE name = ?", (password_hash, name))
            if (new_role, new_disabled) != (was.role, was.disabled) or password_hash is not None:
                _sign_out(db, name)
                _end_tokens(db, name, None if new_disabled else new_role, self._wall())
            return _found(db, name)

        return await self._store.run(job, write=True)

    async def remove(self, name: str) -> Operator:
        """What it was. Raises as `update`."""

        def job(db: sqlite3.Connection) -> Operator:
            was = _found(db, name)
            _keep_an_owner(db, was)
            db.execute("DELETE FROM operators WHERE name = ?", (name,))
            _sign_out(db, name)
            _end_tokens(db, name, None, self._wall())
            return was

        return await self._store.run(job, write=True)


def _all(db: sqlite3.Connection) -> tuple[Operator, ...]:
    return tuple(_operator(row) for row in db.execute(f"SELECT {COLUMNS} FROM operators ORDER BY name"))  # noqa: S608


def _count(db: sqlite3.Connection) -> int:
    (count,) = db.execute("SELECT count(*) FROM operators").fetchone()
    return int(count)


def _find(db: sqlite3.Connection, name: str) -> Operator | None:
    row = db.execute(f"SELECT {COLUMNS} FROM operators WHERE name = ?", (name,)).fetchone()  # noqa: S608
    return None if row is None else _operator(row)


def _found(db: sqlite3.Connection, name: str) -> Operator:
    found = _find(db, name)
    if found is None:
        raise NoSuchOperator(f"there is no operator {name}")
    return found


def _credentials(db: sqlite3.Connection, name: str) -> Credentials | None:
    found = _find(db, name)
    if found is None:
        return None
    (password,) = db.execute("SELECT password FROM operators WHERE name = ?", (name,)).fetchone()
    return Credentials(found, password)


def _keep_an_owner(db: sqlite3.Connection, leaving: Operator) -> None:
    (others,) = db.execute(
        "SELECT count(*) FROM operators WHERE role = ? AND NOT disabled AND name != ?", (Role.OWNER, leaving.name)
    ).fetchone()
    if leaving.role is Role.OWNER and not leaving.disabled and not others:
        raise BadOperator(f"{leaving.name} is the last owner: make another operator an owner first")


def _sign_out(db: sqlite3.Connection, name: str) -> None:
    db.execute("DELETE FROM sessions WHERE operator = ?", (name,))


def _end_tokens(db: sqlite3.Connection, author: str, role: Role | None, now: float) -> None:
    """Those above `role`; None: all of them."""
    db.execute(
        """WITH RECURSIVE made(id, who) AS
            (SELECT id, 'token:' || name FROM tokens WHERE author = ?1 AND role > ?2
             UNION SELECT tokens.id, 'token:' || name FROM tokens JOIN made ON author = who)
           UPDATE tokens SET revoked = ?3 WHERE revoked IS NULL AND id IN (SELECT id FROM made)""",
        (author, -1 if role is None else int(role), now),
    )


def _operator(row: tuple[str, int, int, float, float | None]) -> Operator:
    name, role, disabled, created, seen = row
    return Operator(name, Role(role), bool(disabled), created, seen)
