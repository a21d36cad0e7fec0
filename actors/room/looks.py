"""How a room stands, for who joins, for operators and figures. Looks change nothing and wait for nothing."""

from actors.events import Policy
from actors.names import Nickname, RoomName
from actors.room.book import Book
from actors.room.fanout import Fanout
from actors.room.houseview import Doorkeeper
from actors.room.messages import Counts, Joined, RoomCensus
from actors.room.presence import Presence
from actors.tally import RoomLook


def census(name: RoomName, book: Book, presence: Presence, fanout: Fanout, seats: int, policy: Policy) -> RoomCensus:
    return RoomCensus(
        name,
        book.epoch,
        book.head,
        book.oldest,
        presence.online,
        seats,
        fanout.level,
        fanout.behind,
        len(book.tail),
        policy,
        book.pinned,
    )


def joined(door: Doorkeeper, mode: str, nickname: Nickname) -> Joined:
    """`nickname`: as it stands here."""
    book = door.book
    return Joined(
        book.name,
        book.epoch,
        book.head,
        book.oldest,
        mode,
        door.rules(),
        Counts(door.presence.online),
        nickname,
        book.code,
        book.title,
        book.pinned,
    )


def look(door: Doorkeeper, fanout: Fanout, entries: int, members: int) -> RoomLook:
    """`entries`, `members`: how many of the newest and of the first are wanted. Operators see what is hidden too."""
    tail = tuple(door.book.tail)[-entries:] if entries else ()
    kept = {entry.seq: kept.body for entry in tail if (kept := door.book.veil.kept.get(entry.seq))}
    cards = door.presence.page(1).members[:members] if members else ()
    shown = tuple((card.member, card.nickname) for card in cards)
    return RoomLook(door.presence.online, fanout.behind, fanout.slow, door.own_rules(), tail, kept, shown)
