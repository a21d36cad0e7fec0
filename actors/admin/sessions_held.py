"""Sessions that are in no database, because the disk would not take them. Pure.

Whoever has to send an alert must get in on a full disk too. Such a session is in this process only: after a restart the
operator signs in again."""

import secrets

from attrs import define, evolve, field

from actors.admin.roles import Role
from actors.admin.sessions import SESSION_KEEP_S, SESSION_PREFIX, Issued, Session, hash_of, new_secret

HELD_MOST = 64
"""Then the oldest goes."""


@define
class HeldSessions:
    """Times are Unix seconds."""

    limit: int = HELD_MOST
    _by_hash: dict[bytes, Session] = field(init=False, factory=dict)

    def begin(self, operator: str, role: Role, address: str, now: float) -> tuple[Session, Issued]:
        while len(self._by_hash) >= self.limit:
            del self._by_hash[next(iter(self._by_hash))]
        issued = Issued("s_" + secrets.token_hex(8), new_secret(SESSION_PREFIX))
        session = Session(issued.id, operator, role, address, now, now, now + SESSION_KEEP_S)
        self._by_hash[hash_of(issued.secret)] = session
        return session, issued

    def check(self, secret: str, now: float) -> Session | None:
        found = self._by_hash.get(hash_of(secret))
        return found if found is not None and now < found.expires else None

    def all(self, now: float) -> list[Session]:
        self._by_hash = {key: each for key, each in self._by_hash.items() if now < each.expires}
        return list(self._by_hash.values())

    def change(self, session: str, role: Role | None) -> bool:
        """None: it is over. False: there is none of that id here."""
        for key, each in self._by_hash.items():
            if each.id == session:
                if role is None:
                    del self._by_hash[key]
                else:
                    self._by_hash[key] = evolve(each, role=role)
                return True
        return False
