"""A room's eye on its house: what the standing says of who wants in or wants to speak, and the rules as people are told
them."""

from attrs import define, evolve, field

from actors.clock import Now
from actors.events import Policy
from actors.journal.log import RoomRecord
from actors.names import MemberId, RoomName
from actors.refusals import Reason, Refused
from actors.room.book import Book, HouseView
from actors.room.presence import Presence
from actors.room.tools import RoomTools


@define
class Doorkeeper:
    name: RoomName
    tools: RoomTools
    book: Book
    presence: Presence
    record: RoomRecord
    removed: set[MemberId] = field(factory=set)
    """Thrown out by this instance and not back: what they said on their way out does not count."""

    def view(self, author: MemberId, text: str, now: Now) -> HouseView:
        """The refusal rides in the draft, so that the retry of a message that everybody has seen is never judged by a
        later mute."""
        standing, wall = self.tools.standing, now.wall
        barred = standing.may_speak(author, self.name, text, wall) or standing.may_enter(author, self.name, wall)
        if barred is None and author in self.removed:
            barred = Refused(Reason.NOT_JOINED, "you have been taken out of this room")
        return HouseView(barred, standing.badge(author), standing.is_staff(author), standing.slow_floor_s)

    def no_entry(self, member: MemberId, now: Now) -> Refused | None:
        """Who is here already, or within grace, comes back whatever has been closed or filled meanwhile. Nobody enters
        what is deleted: a join may have waited here since before."""
        if self.record.deleted is not None:
            return Refused(Reason.UNKNOWN_ROOM, "there is no such room")
        banned = self.tools.standing.may_enter(member, self.name, now.wall)
        if banned is not None or self.presence.knows(member):
            return banned
        rules = self.book.policy.at(now.wall)
        if rules.closed and not self.tools.standing.is_staff(member):
            said = f"this room is closed: {rules.reason}" if rules.reason else "this room is closed"
            return Refused(Reason.FORBIDDEN, said)
        if self.presence.online >= rules.max_members:
            return Refused(Reason.FULL, f"this room holds {rules.max_members} people and is full", 10_000)
        return None

    def rules(self) -> Policy:
        """As they are told: with what the house adds."""
        policy, standing = self.own_rules(), self.tools.standing
        official = policy.official or self.record.official
        slow_s = max(policy.slow_s, standing.slow_floor_s)
        return evolve(policy, lockdown=standing.lockdown, official=official, slow_s=slow_s)

    def own_rules(self) -> Policy:
        return self.book.policy.at(self.tools.clock.now().wall)
