"""What was published last, for whoever looks: operators' channels, a terminal. A look asks no actor and waits for none;
each snapshot says with `at` how old it is. The board outlives the stats actor: while that restarts, ages grow."""

from collections.abc import Callable, Mapping, Set

from attrs import asdict

from actors.events import Body, Entry, Message, Tombstone
from actors.names import RoomName
from actors.tally import RoomLook, RoomTally

ROOM = "room:"
MESSAGES = 50
MEMBERS = 50

Snapshot = Mapping[str, object]


class Board:
    """Topics: `stats`, `rooms`, `room:<name>`, and what `also` has added. Times are Unix seconds."""

    def __init__(self, tallies: Mapping[RoomName, RoomTally], wall: Callable[[], float]) -> None:
        self._tallies = tallies
        self._wall = wall
        self._published: dict[str, Snapshot] = {}
        self._rows: Mapping[RoomName, Snapshot] = {}
        self._others: dict[str, Callable[[], Snapshot | None]] = {}
        self._up: frozenset[str] = frozenset()

    def snapshot(self, topic: str) -> Snapshot | None:
        """None: there is no such topic, or nothing of it yet. Not to be changed by who gets it. A room's own snapshot
        is made at the look, a copy of the end of its tail; the other ones are there already."""
        if topic.startswith(ROOM):
            return self._room(topic.removeprefix(ROOM))
        if topic in self._others:
            return self._others[topic]()
        return self._published.get(topic)

    def also(self, topic: str, look: Callable[[], Snapshot | None]) -> None:
        """Somebody else's topic."""
        self._others[topic] = look

    def publish(self, topic: str, snapshot: Snapshot) -> None:
        self._published[topic] = snapshot

    def publish_rooms(self, at: float, rows: Mapping[RoomName, Snapshot]) -> None:
        """`rows` by name, in the order in which they are shown."""
        self._rows = rows
        self._published["rooms"] = {"at": at, "rooms": list(rows.values())}

    def seen_up(self, up: Set[RoomName]) -> tuple[list[str], list[str]]:
        """The rooms that have come up since this was last asked, and those that no longer are, by name. Kept here, so
        that nothing is told twice when the stats actor restarts."""
        before, self._up = self._up, frozenset(up)
        return sorted(self._up - before), sorted(before - self._up)

    def _room(self, name: str) -> Snapshot | None:
        row = self._rows.get(RoomName(name))
        if row is None:
            return None
        tally = self._tallies.get(RoomName(name))
        look = tally.look(MESSAGES, MEMBERS) if tally is not None and tally.look is not None else None
        return {"at": self._wall(), "row": row, **_inside(look)}


def _inside(look: RoomLook | None) -> dict[str, object]:
    """Of a room that is not up: nothing. Its history is asked for with a command."""
    if look is None:
        return {"messages": [], "members": [], "policy": None}
    return {
        "messages": [shown for entry in look.tail if (shown := _shown(entry, look.veiled.get(entry.seq))) is not None],
        "members": [{"member": member, "nickname": nickname} for member, nickname in look.members],
        "policy": asdict(look.policy),
    }


def _shown(entry: Entry, veiled: Body | None) -> dict[str, object] | None:
    """None: an entry that is no message. Operators read what they have hidden."""
    nickname = text = ""
    hidden = deleted = False
    match entry.body:
        case Message():
            nickname, text = str(entry.body.nickname), entry.body.text
        case Tombstone(edit_of=None):
            hidden, deleted = entry.body.hidden, not entry.body.hidden
            if isinstance(veiled, Message):
                nickname, text = str(veiled.nickname), veiled.text
            elif veiled is not None:
                return None  # an edit
        case _:
            return None
    return {
        "seq": entry.seq,
        "ts": entry.ts,
        "member": entry.author,
        "nickname": nickname,
        "text": text,
        "hidden": hidden,
        "deleted": deleted,
    }
