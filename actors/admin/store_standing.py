"""The standing on disk: sanctions, roles, badges, revoked tokens and the lockdown, each a row. And the erasing of a
member."""

import json
import sqlite3
from typing import Any

import attrs
from attrs import frozen

from actors.admin.audit import canonical
from actors.admin.store_activity import ERASED, erase
from actors.admin.store_run import Runs
from actors.names import MemberId
from actors.people.standing import Sanction, Standing

Rows = dict[tuple[str, str], str]


@frozen
class StandingTable:
    _store: Runs

    async def save(self, standing: Standing) -> None:
        """As it is at the call: what is not in it goes from the disk, what has not changed is not written again."""
        new = _rows(standing)

        def job(db: sqlite3.Connection) -> None:
            old = _stored(db)
            db.executemany("DELETE FROM standing WHERE kind = ? AND key = ?", [key for key in old if key not in new])
            changed = [(*key, value) for key, value in new.items() if old.get(key) != value]
            db.executemany("INSERT OR REPLACE INTO standing VALUES (?, ?, ?)", changed)

        await self._store.run(job, write=True)

    async def load(self, standing: Standing) -> None:
        """Into this one, at the start. Sanctions that have run out too: what each was laid over comes back when the
        act that laid it is lifted, which may be due since the server was down."""
        rows = await self._store.run(_stored)
        for (kind, key), text in rows.items():
            _put(standing, kind, key, json.loads(text))

    async def erase_member(self, member: MemberId) -> None:
        """What is known here of a member goes, for good: role, badge, the text of events and reports, the reasons of
        sanctions. Sanctions and revocations stay, on the bare number: erasing is no way out of a ban. The audit stays
        as it is: it keeps what operators typed, a nickname that they gave or a reason too."""

        def job(db: sqlite3.Connection) -> None:
            erase(db, member)
            db.execute("DELETE FROM standing WHERE kind IN ('role', 'badge') AND key = ?", (member,))
            for (kind, key), text in _stored(db).items():
                value = json.loads(text)
                if kind == "sanction" and value["member"] == member and value["reason"]:
                    cells = (canonical({**value, "reason": ERASED}), kind, key)
                    db.execute("UPDATE standing SET value = ? WHERE kind = ? AND key = ?", cells)

        await self._store.run(job, write=True)


def _rows(standing: Standing) -> Rows:
    lockdown = [standing.lockdown, standing.lockdown_since, standing.lockdown_reason]
    return {
        ("lockdown", ""): canonical(lockdown),
        **{("role", member): canonical(role) for member, role in standing.roles.items() if role},
        **{("badge", member): canonical(badge) for member, badge in standing.badges.items() if badge},
        **{("revoked", member): canonical(upto) for member, upto in standing.revoked.items()},
        **{("sanction", "\n".join(each.key)): canonical(attrs.asdict(each)) for each in standing.sanctions()},
    }


def _put(standing: Standing, kind: str, key: str, value: Any) -> None:
    match kind:
        case "lockdown":
            standing.lockdown, standing.lockdown_since, standing.lockdown_reason = value
        case "role":
            standing.roles[MemberId(key)] = value
        case "badge":
            standing.badges[MemberId(key)] = value
        case "revoked":
            standing.revoked[MemberId(key)] = value
        case "sanction":
            standing.put(Sanction(**value))


def _stored(db: sqlite3.Connection) -> Rows:
    return {(kind, key): value for kind, key, value in db.execute("SELECT kind, key, value FROM standing")}
