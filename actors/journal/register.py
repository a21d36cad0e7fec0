"""The rooms and their epochs, as the writer keeps them in memory. Every change runs inside the writer's transaction;
when that fails, the register is loaded anew."""

import sqlite3

from actors.events import PolicyChanged
from actors.journal import doctor, pages
from actors.journal.batch import Batch
from actors.journal.codec import first_link
from actors.journal.epochs import new_epoch
from actors.journal.log import RoomRecord
from actors.journal.pages import Room
from actors.names import RoomCode, RoomName


class Register:
    def __init__(self) -> None:
        self.rooms: dict[RoomName, Room] = {}
        self._codes: set[RoomCode] = set()
        self._last_epoch = ""

    def load(self, db: sqlite3.Connection) -> None:
        self.rooms = {room.name: room for room in pages.rooms(db)}
        self._codes = {room.code for room in self.rooms.values()}
        (last,) = db.execute("SELECT max(name) FROM epochs").fetchone()
        self._last_epoch = max(self._last_epoch, last or "")

    def create(self, db: sqlite3.Connection, name: RoomName, code: RoomCode, title: str, wall: float) -> Room:
        """KeyError: the code is another room's."""
        if code in self._codes:
            raise KeyError(code)
        query = "INSERT INTO rooms (name, code, title, epoch, created) VALUES (?, ?, ?, 0, ?)"
        room_id = db.execute(query, (name, code, title, wall)).lastrowid
        self._begin_epoch(db, room_id, wall)
        self._codes.add(code)
        return self._reload(db, name)

    def forget(self, db: sqlite3.Connection, room: Room) -> None:
        db.execute("DELETE FROM rooms WHERE id = ?", (room.id,))
        db.execute("DELETE FROM epochs WHERE id = ?", (room.epoch_id,))
        db.execute("DELETE FROM heads WHERE epoch = ?", (room.epoch_id,))
        del self.rooms[room.name]
        self._codes.discard(room.code)

    def update(self, db: sqlite3.Connection, room: Room, record: RoomRecord) -> Room:
        """KeyError: the code is another room's."""
        if record.code != room.code and record.code in self._codes:
            raise KeyError(record.code)
        query = "UPDATE rooms SET title = ?, code = ?, zone = ?, official = ?, deleted = ?, active = ? WHERE id = ?"
        row = (record.title, record.code, record.zone, int(record.official), record.deleted, record.active, room.id)
        db.execute(query, row)
        self._codes.discard(room.code)
        self._codes.add(record.code)
        return self._reload(db, room.name)

    def purge(self, db: sqlite3.Connection, room: Room) -> None:
        """The name is free at once. The entries stay as empty shells, so that their cids are still known, until
        retention takes them; their words are wiped step by step (retention.wipe)."""
        query = """INSERT OR REPLACE INTO erasures
            SELECT h.epoch, h.head, 0 FROM heads h JOIN epochs e ON e.id = h.epoch WHERE e.room = ?"""
        db.execute(query, (room.id,))
        db.execute("UPDATE epochs SET room = 0 WHERE room = ?", (room.id,))  # a room's number may be used again
        db.execute("DELETE FROM rooms WHERE id = ?", (room.id,))
        del self.rooms[room.name]
        self._codes.discard(room.code)

    def rename_epoch(self, db: sqlite3.Connection, room: Room, wall: float) -> Room:
        """The same entries under a new epoch."""
        room.epoch = self._last_epoch = new_epoch(wall, self._last_epoch)
        db.execute("UPDATE epochs SET name = ? WHERE id = ?", (room.epoch, room.epoch_id))
        return room

    def set_aside(self, db: sqlite3.Connection, room: Room, wall: float, policy: PolicyChanged | None) -> Room:
        """A new epoch with nothing in it but the rules in force. The old entries stay in their table, not served."""
        self._begin_epoch(db, room.id, wall)
        fresh = self._reload(db, room.name)
        if policy is None:
            return fresh
        Batch(db, self.rooms, [doctor.carried(policy, room, fresh)], wall, disk_low=False).write()
        return self._reload(db, room.name)

    def suspect(self, db: sqlite3.Connection, epoch_id: int) -> None:
        """Whoever opens this epoch's room next gets a new one."""
        db.execute("UPDATE epochs SET suspect = 1 WHERE id = ?", (epoch_id,))
        for room in self.rooms.values():
            room.suspect = room.suspect or room.epoch_id == epoch_id

    def _begin_epoch(self, db: sqlite3.Connection, room_id: int | None, wall: float) -> None:
        name = self._last_epoch = new_epoch(wall, self._last_epoch)
        epoch_id = db.execute("INSERT INTO epochs VALUES (NULL, ?, ?, ?, 1, 0)", (room_id, name, name)).lastrowid
        db.execute("INSERT INTO heads VALUES (?, 0, ?)", (epoch_id, first_link(name)))
        db.execute("UPDATE rooms SET epoch = ? WHERE id = ?", (epoch_id, room_id))

    def _reload(self, db: sqlite3.Connection, name: RoomName) -> Room:
        self.rooms[name] = pages.room(db, name)
        return self.rooms[name]
