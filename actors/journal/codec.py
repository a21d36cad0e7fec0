"""Bodies as bytes, and the hash chain over a room's entries.

Each entry carries 16 random bytes, its seal. The chain covers H(seal, body), not the body; erasing overwrites the body
with zeros and the seal with that hash. So the chain verifies for ever, and what is left of the words is a salted hash
whose salt is gone: nothing can be guessed from it."""

import struct
from hashlib import blake2b
from types import NoneType

import msgspec
from attrs import evolve, frozen

from actors.events import (
    AlertNotice,
    Body,
    Cleared,
    Deleted,
    Edited,
    Entry,
    Erased,
    Hidden,
    Message,
    Moved,
    Notice,
    Pinned,
    PolicyChanged,
    Restored,
    Tombstone,
    Uncleared,
)
from actors.names import Cid, Epoch, MemberId

# One byte each in the database (0 and 1 would take none), so that erasing never changes the size of a row.
MESSAGE, EDITED, DELETED, POLICY = 2, 3, 4, 5
GONE = 10
"""Added to the kind of an entry whose words are erased: 10 to 19 are such."""
HIDDEN, RESTORED, PINNED, CLEARED, UNCLEARED, ERASED = 20, 21, 22, 23, 24, 25
ORDERS = range(20, 30)
"""What a room must know as long as what they are about can be read."""
ALERT_NOTICE, MOVED, NOTICE = 30, 31, 32

DIGEST_BYTES = 16

_types = {
    MESSAGE: Message, EDITED: Edited, DELETED: Deleted, POLICY: PolicyChanged, HIDDEN: Hidden, RESTORED: Restored,
    PINNED: Pinned, CLEARED: Cleared, UNCLEARED: Uncleared, ERASED: Erased, ALERT_NOTICE: AlertNotice, MOVED: Moved,
    NOTICE: Notice,
}  # fmt: skip
_kinds = {cls: kind for kind, cls in _types.items()}
_decoders: dict[int, msgspec.json.Decoder[Body]] = {kind: msgspec.json.Decoder(cls) for kind, cls in _types.items()}
_encoder = msgspec.json.Encoder()


class Damaged(Exception):
    """A row does not read as what was written."""


@frozen
class Row:
    """An entry as it lies in the table; `epoch` is the epoch's number there."""

    epoch: int
    seq: int
    ts: float
    kind: int
    author: str
    cid: str
    target: int | None
    body: bytes
    seal: bytes
    chain: bytes

    def chained(self, born: str, prior: bytes) -> bytes:
        """What the row's chain value must be, after the value `prior` of its predecessor."""
        words = self.seal if is_gone(self.kind) else commitment(self.seal, self.body)
        return _link(born, prior, self.seq, self.ts, plain(self.kind), self.author, self.cid, self.target, words)


_int, _str, _blob = (int,), (str,), (bytes,)
_columns: tuple[tuple[type, ...], ...] = (
    *(_int, _int, (float,), _int, _str, _str, (int, NoneType)),
    *(_blob, _blob, _blob),
)


def row_of(epoch: int, seq: int, *rest: object) -> Row:
    """A row out of the table. One flipped bit can make a column another type: such a row has no words and fits no
    chain."""
    values = (epoch, seq, *rest)
    if all(type(value) in types for value, types in zip(values, _columns, strict=True)):
        return Row(*values)  # type: ignore[arg-type]
    return lost_row(epoch, int(seq))


def lost_row(epoch: int, seq: int) -> Row:
    """In place of one that cannot be read."""
    return Row(epoch, seq, 0.0, MESSAGE + GONE, "", "", None, b"", b"", b"")


def is_gone(kind: int) -> bool:
    return GONE <= kind < 2 * GONE


def plain(kind: int) -> int:
    """As it was written."""
    return kind - GONE if is_gone(kind) else kind


def kind_of(body: Body) -> int:
    """KeyError for a Tombstone: nobody writes one."""
    return _kinds[type(body)]


def target_of(body: Body) -> int | None:
    """What the entry is about: a message, or everything up to one."""
    match body:
        case Edited() | Deleted() | Hidden() | Restored() | Pinned():
            return body.target
        case Cleared() | Uncleared() | Erased():
            return body.upto
        case _:
            return None


def encode(body: Body) -> bytes:
    """UnicodeEncodeError: a lone surrogate in the text."""
    return _encoder.encode(body)


def decode(kind: int, body: bytes, target: int | None = None) -> Body:
    """Damaged when the bytes are no such body."""
    if is_gone(kind):
        return Tombstone(target if kind == EDITED + GONE else None)
    try:
        return _decoders[kind].decode(body)
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(f"an entry of kind {kind} does not read: {error}") from None


def entry_of(epoch: Epoch, row: Row) -> Entry:
    return Entry(epoch, row.seq, row.ts, MemberId(row.author), Cid(row.cid), decode(row.kind, row.body, row.target))


def same_words(stored: Body, offered: Body) -> bool:
    """Is this the retry of that? Compares what the author chose, not what the server added."""
    match stored, offered:
        case Message(), Message():
            return stored.text == offered.text and stored.reply_to == offered.reply_to
        case PolicyChanged(), PolicyChanged():
            return stored.policy == evolve(offered.policy, rev=stored.policy.rev, expires=stored.policy.expires)
        case _:
            return stored == offered


def commitment(seal: bytes, body: bytes) -> bytes:
    return blake2b(seal + body, digest_size=DIGEST_BYTES).digest()


def first_link(born: str) -> bytes:
    """The chain's value before seq 1. `born` is the name under which the epoch's numbering began."""
    return blake2b(born.encode(), digest_size=DIGEST_BYTES).digest()


def link(
    born: str,
    prior: bytes,
    seq: int,
    ts: float,
    kind: int,
    author: str,
    cid: str,
    target: int | None,
    body: bytes,
    seal: bytes,
) -> bytes:
    """The chain's value at a new entry."""
    return _link(born, prior, seq, ts, kind, author, cid, target, commitment(seal, body))


def _link(
    born: str, prior: bytes, seq: int, ts: float, kind: int, author: str, cid: str, target: int | None, words: bytes
) -> bytes:
    head = struct.pack(">qdBq", seq, ts, kind, target or 0)
    names = f"{born}\0{author}\0{cid}".encode()
    return blake2b(b"".join((prior, head, words, names)), digest_size=DIGEST_BYTES).digest()
