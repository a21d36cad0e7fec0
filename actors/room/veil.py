"""Which of a room's messages read as tombstones, by what moderators ordered. Pure; part of the book's fold."""

from attrs import define, field, frozen

from actors.events import Body, Cleared, Edited, Entry, Erased, Hidden, Message, Restored, Tombstone, Uncleared, Veiling


@frozen
class Kept:
    """What stands under a veil, to be shown again when it is lifted."""

    body: Body
    reactions: dict[str, int]


@define
class Veil:
    """The fold of Hidden, Restored, Cleared, Uncleared and Erased. `kept`: seq -> the words, as far as memory has
    them; the room's tail only."""

    hidden: set[int] = field(factory=set)
    cleared: set[int] = field(factory=set)
    """Every upto that was not taken back."""
    erased: int = 0
    kept: dict[int, Kept] = field(factory=dict)

    def obey(self, body: Veiling) -> None:
        match body:
            case Hidden(target):
                self.hidden.add(target)
            case Restored(target):
                self.hidden.discard(target)
            case Cleared(upto):
                self.cleared.add(upto)
            case Uncleared(upto):
                self.cleared.discard(upto)
            case Erased(upto):
                self.erased = max(self.erased, upto)

    def over(self, seq: int, body: Body) -> Tombstone | None:
        """Instead of what the log has; None: it is shown."""
        match body:
            case Message():
                about, target = seq, None
            case Edited(target=target):
                about = target
            case _:
                return None
        if about <= self.erased:
            return Tombstone(target)
        return Tombstone(target, hidden=True) if self.covers(about) else None

    def covers(self, message: int) -> bool:
        return message in self.hidden or message <= max(self.cleared, default=0)

    def face(self, entry: Entry) -> Body:
        """As it is shown, of an entry that memory does not keep."""
        return self.over(entry.seq, entry.body) or entry.body
