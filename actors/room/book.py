"""A room's mind: the fold of its log's entries, and the rules of who may do what. Pure; time is an argument.

A judgement always carries a body. A refused draft is handed to the log with its refusal all the same (journal/log.py
rule 1), so that the retry of a message that everyone has seen is never judged by a later freeze. What only the log can
know - whether an edit's target exists and who wrote it - is left to the log (rule 6)."""

from collections import deque
from collections.abc import Mapping
from math import ceil, isfinite

from attrs import Factory, define, evolve, field, frozen

from actors.clock import Now
from actors.events import (
    Body,
    Cleared,
    Deleted,
    Edited,
    Entry,
    Erased,
    Hidden,
    Message,
    Moderation,
    Notice,
    Pinned,
    Policy,
    PolicyChanged,
    Restored,
    Tombstone,
    Uncleared,
    Veiling,
)
from actors.journal.log import Opening
from actors.names import Epoch, MemberId, Nickname, RoomCode, RoomName
from actors.refusals import Reason, Refused
from actors.room.veil import Kept, Veil

TAIL_LIMIT = 100
SLOWEST_S = 86_400.0
PRESENCE = ("auto", "off")


class OutOfOrder(Exception):
    """The entry does not continue this book: a seq was left out, or it is of another epoch. Open the room anew."""


@frozen
class Judgement:
    """`refusal`: None = it may be written. Goes into the draft beside the body, whatever it is."""

    body: Body
    refusal: Refused | None = None


@frozen
class HouseView:
    """What the house has to say about an author, at this moment (actors/people/standing.py)."""

    barred: Refused | None = None
    badge: str = ""
    staff: bool = False
    """Neither freezing nor slow mode is for them."""
    slow_floor_s: float = 0.0
    """Asked of every room."""


NOBODY_SPECIAL = HouseView()


@define
class Book:
    """Equal books are equal rooms: whoever folds the same entries gets the same one. Fields are for reading."""

    name: RoomName
    code: RoomCode
    title: str
    epoch: Epoch
    head: int
    """The last entry folded; 0 = none."""
    oldest: int
    """The first seq that the log can still read, as far as this room has been told."""
    policy: Policy
    """As last set; `policy.at(now.wall)` is what holds now."""
    tail: deque[Entry]
    """The newest entries, consecutive up to `head`, read as the log reads them now: edited, veiled and erased."""
    reactions: dict[int, dict[str, int]]
    """seq in the tail -> emoji -> how many."""
    pinned: int | None = None
    """The message shown above the others."""
    veil: Veil = field(factory=Veil)
    tail_limit: int = TAIL_LIMIT
    _spoke: dict[MemberId, float] = field(default=Factory(dict), eq=False, repr=False)
    """Who may have to wait for slow mode -> when they last passed, on the loop's clock, in that order. New rules count
    anew, and so does a room that starts again: it costs one early message a member."""

    @classmethod
    def open(cls, opening: Opening, *, tail_limit: int = TAIL_LIMIT) -> "Book":
        """The room as its log has it. The tail is taken as read, so edits in it are not applied twice."""
        record = opening.record
        tail = _run_up_to(record.head, opening.tail, tail_limit)
        book = cls(
            name=record.name,
            code=record.code,
            title=record.title,
            epoch=record.epoch,
            head=record.head,
            oldest=record.oldest,
            policy=Policy(),
            tail=tail,
            reactions={},
            tail_limit=tail_limit,
        )
        for entry in sorted((*opening.rules, *tail), key=lambda e: e.seq):
            book._obey(entry)
        book._reveil()
        for seq, counts in opening.reactions.items():
            book.react(seq, counts)
        return book

    # The fold

    def fold(self, entry: Entry) -> bool:
        """Take the next entry. False: it was known already. Raises OutOfOrder for a hole or another epoch.
        Cost: O(1); an edit or deletion looks through the tail."""
        if entry.epoch != self.epoch:
            raise OutOfOrder(f"{self.name} is in epoch {self.epoch}, the entry in {entry.epoch}")
        if entry.seq <= self.head:
            return False
        if entry.seq != self.head + 1:
            raise OutOfOrder(f"{self.name} is at {self.head} and was given {entry.seq}")
        self.head = entry.seq
        self.tail.append(entry)
        self._obey(entry)
        match entry.body:
            case Edited(target=target, text=text):
                self._edit(entry, target, text)
                self._cover(-1)
            case Message():
                self._cover(-1)
            case Deleted(target=target):
                self._erase(target)
            case Hidden() | Restored() | Cleared() | Uncleared() | Erased():
                self._reveil()
        while len(self.tail) > self.tail_limit:
            self._drop_first()
        return True

    def trimmed(self, oldest: int) -> None:
        """Retention has removed everything before `oldest`: memory does not outlive it."""
        self.oldest = max(self.oldest, oldest)
        self._unpin_what_is_gone()
        while self.tail and self.tail[0].seq < self.oldest:
            self._drop_first()

    def face(self, entry: Entry) -> Entry:
        """As it is shown now, whether or not the tail still has it."""
        first = self.tail[0].seq if self.tail else self.head + 1
        if entry.seq >= first:
            return self.tail[entry.seq - first]
        body = self.veil.face(entry)
        return entry if body is entry.body else evolve(entry, body=body)

    def fade(self, before: float) -> None:
        """What was written before this instant (Unix seconds) is no longer served from memory, whatever the log has
        come to. O(1) while there is none."""
        while self.tail and self.tail[0].ts < before:
            self.trimmed(self.tail[0].seq + 1)

    def react(self, seq: int, counts: Mapping[str, int]) -> None:
        """The message's reactions as they now are. Ignored for what is not a message in the tail."""
        at = self._index(seq)
        if (kept := self.veil.kept.get(seq)) is not None:
            self.veil.kept[seq] = evolve(kept, reactions=dict(counts))
        elif at is None or not isinstance(self.tail[at].body, Message) or not counts:
            self.reactions.pop(seq, None)
        else:
            self.reactions[seq] = dict(counts)

    def recent(self, before: int | None, after: int | None, limit: int) -> tuple[Entry, ...] | None:
        """What the log's `read` would answer, from memory: the first entries with seq > after, or the last ones with
        seq < before (neither: the newest), ascending. None: the tail does not reach that far, ask the log. O(limit)."""
        end = self.head + 1 if before is None else min(before, self.head + 1)
        floor = self.oldest if after is None else max(self.oldest, after + 1)
        if after is None:
            start = max(floor, end - limit)
        else:
            start, end = floor, min(end, floor + limit)
        if start >= end:
            return ()
        first = self._index(start)
        return None if first is None else tuple(self.tail[i] for i in range(first, first + end - start))

    # The rules

    def post(
        self,
        author: MemberId,
        nickname: Nickname,
        text: str,
        reply_to: int | None,
        now: Now,
        house: HouseView = NOBODY_SPECIAL,
    ) -> Judgement:
        """A pass counts for slow mode at once, so that two quick posts cannot both pass; see `forgive`."""
        rules = self.policy.at(now.wall)
        slow_s = 0.0 if house.staff else max(rules.slow_s, house.slow_floor_s)
        refusal = _wordless(text) or house.barred or _frozen(rules, now, house) or self._unanchored(reply_to)
        if slow_s > 0:
            refusal = refusal or self._too_soon(author, now, slow_s, house.slow_floor_s)
            if refusal is None:
                self._spoke[author] = now.mono
        return Judgement(Message(nickname, text, reply_to, badge=house.badge), refusal)

    def forgive(self, author: MemberId, at: Now) -> None:
        """The post that passed at this instant was not written (a repetition, or the log refused it): it does not
        count for slow mode. A later pass of the same author still does."""
        if self._spoke.get(author) == at.mono:
            del self._spoke[author]

    def edit(self, author: MemberId, target: int, text: str, now: Now, house: HouseView = NOBODY_SPECIAL) -> Judgement:
        refusal = _wordless(text) or house.barred or _frozen(self.policy.at(now.wall), now, house)
        return Judgement(Edited(target, text), refusal)

    def delete(self, author: MemberId, target: int, now: Now) -> Judgement:
        """Allowed while frozen: nobody has to leave their words standing."""
        return Judgement(Deleted(target))

    def set_policy(self, policy: Policy, author: MemberId, now: Now) -> Judgement:
        """`rev` is taken out of the body, since the log names it: the seq of the entry is the rev."""
        expired = policy.expires is not None and not now.wall < policy.expires
        sane = (
            0 <= policy.slow_s <= SLOWEST_S
            and policy.max_members > 0
            and policy.history >= 0
            and policy.presence in PRESENCE
        )
        refusal = None
        if expired:
            refusal = Refused(Reason.BAD_FRAME, "these rules would already have expired")
        elif not sane or not isfinite(policy.expires or 0):
            refusal = Refused(Reason.BAD_FRAME, "these are no rules that a room can have")
        return Judgement(PolicyChanged(evolve(policy, rev=0, lockdown=5)), refusal)

    def moderate(self, body: Moderation) -> Judgement:
        """Whether a target is there, the log says."""
        refusal = None
        match body:
            case Cleared(upto) | Uncleared(upto) | Erased(upto) if not 1 <= upto <= self.head:
                refusal = Refused(Reason.BAD_ANCHOR, f"this room has no entry {upto}")
            case Notice(text) if not text.strip():
                refusal = Refused(Reason.BAD_FRAME, "there is no text in this notice")
        return Judgement(body, refusal)

    # Within

    def _obey(self, entry: Entry) -> None:
        if isinstance(entry.body, PolicyChanged):
            self.policy = evolve(entry.body.policy, rev=entry.seq)
            self._spoke.clear()
        elif isinstance(entry.body, Pinned):
            self.pinned = entry.body.target
            self._unpin_what_is_gone()
        elif isinstance(entry.body, Veiling):
            self.veil.obey(entry.body)

    def _unpin_what_is_gone(self) -> None:
        if self.pinned is not None and self.pinned < self.oldest:
            self.pinned = None

    def _drop_first(self) -> None:
        seq = self.tail.popleft().seq
        self.reactions.pop(seq, None)
        self.veil.kept.pop(seq, None)

    def _reveil(self) -> None:
        """Every entry of the tail as the orders now have it. O(tail)."""
        for at, entry in enumerate(self.tail):
            kept = self.veil.kept.pop(entry.seq, None)
            if kept is not None:
                self._reword(at, kept.body)
                if kept.reactions:
                    self.reactions[entry.seq] = kept.reactions
            self._cover(at)

    def _cover(self, at: int) -> None:
        entry = self.tail[at]
        over = self.veil.over(entry.seq, entry.body)
        if over is None:
            return
        self._reword(at, over)
        reactions = self.reactions.pop(entry.seq, {})
        if over.hidden:
            self.veil.kept[entry.seq] = Kept(entry.body, reactions)

    def _edit(self, entry: Entry, target: int, text: str) -> None:
        at = self._index(target)
        if at is None:
            return
        kept = self.veil.kept.get(target)
        match self.tail[at].body if kept is None else kept.body:
            case Message() as message:
                reworded = evolve(message, text=text, edited=entry.seq)
                if kept is None:
                    self._reword(at, reworded)
                else:
                    self.veil.kept[target] = evolve(kept, body=reworded)
            case Tombstone(hidden=False):
                self._reword(-1, Tombstone(edit_of=target))

    def _erase(self, target: int) -> None:
        self.reactions.pop(target, None)
        for at, entry in enumerate(self.tail):
            kept = self.veil.kept.get(entry.seq)
            body = entry.body if kept is None else kept.body
            if entry.seq == target:
                self._reword(at, Tombstone())
            elif isinstance(body, Edited) and body.target == target:
                self._reword(at, Tombstone(edit_of=target))
            else:
                continue
            self.veil.kept.pop(entry.seq, None)

    def _reword(self, at: int, body: Body) -> None:
        self.tail[at] = evolve(self.tail[at], body=body)

    def _index(self, seq: int) -> int | None:
        """Where in the tail: it is consecutive."""
        at = seq - self.tail[0].seq if self.tail else -1
        return at if 0 <= at < len(self.tail) else None

    def _unanchored(self, reply_to: int | None) -> Refused | None:
        """What the tail does not reach may be anything: it is not worth a question to the disk."""
        if reply_to is None:
            return None
        if 1 <= reply_to <= self.head:
            at = self._index(reply_to)
            if at is None or _is_message(self.tail[at].body):
                return None
        return Refused(Reason.BAD_ANCHOR, f"there is no message {reply_to} to reply to")

    def _too_soon(self, author: MemberId, now: Now, slow_s: float, floor_s: float) -> Refused | None:
        rules = self.policy.at(now.wall)
        while self._spoke and now.mono - next(iter(self._spoke.values())) >= max(rules.slow_s, floor_s):
            del self._spoke[next(iter(self._spoke))]
        spoke = self._spoke.get(author)
        if spoke is None:
            return None
        wait_s = spoke + slow_s - now.mono
        if wait_s <= 0:
            return None
        if rules.expires is not None and slow_s > floor_s:
            wait_s = min(wait_s, max(rules.expires - now.wall, spoke + floor_s - now.mono))
        return Refused(Reason.SLOW_MODE, f"one message every {slow_s:g} s in this room", _ms(wait_s))


def _run_up_to(head: int, entries: tuple[Entry, ...], limit: int) -> deque[Entry]:
    """The consecutive entries that end with the head: a tail that retention has made holes in starts after the last."""
    run: deque[Entry] = deque()
    for entry in reversed(entries[-limit:]):
        if entry.seq != head - len(run):
            break
        run.appendleft(entry)
    return run


def _is_message(body: Body) -> bool:
    """Or was one: who replies may not have seen that it is gone."""
    return isinstance(body, Message) or (isinstance(body, Tombstone) and body.edit_of is None)


def _wordless(text: str) -> Refused | None:
    return None if text.strip() else Refused(Reason.BAD_FRAME, "there is no text in this message", path="text")


def _frozen(rules: Policy, now: Now, house: HouseView) -> Refused | None:
    if not rules.frozen or house.staff:
        return None
    said = f"this room is frozen: {rules.reason}" if rules.reason else "this room is frozen"
    return Refused(Reason.FROZEN, said, None if rules.expires is None else _ms(rules.expires - now.wall))


def _ms(seconds: float) -> int:
    return max(1, ceil(seconds * 1000))
