"""Names that are parsed once at the door and trusted afterwards. Pure: time and randomness come in as arguments."""

import re
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import Any, NewType
from unicodedata import category, normalize

RoomName = NewType("RoomName", str)
RoomCode = NewType("RoomCode", str)
MemberId = NewType("MemberId", str)
Nickname = NewType("Nickname", str)
Cid = NewType("Cid", str)
Epoch = NewType("Epoch", str)
Emoji = NewType("Emoji", str)
MessageText = NewType("MessageText", str)

HOUSE = MemberId("house")
"""The author of what the server itself writes into a log. Not a member id that `member_id` would accept."""

ROOM_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,47}", re.ASCII)
ROOM_CODE = re.compile(r"[a-z]{3,12}-[a-z]{3,12}-[0-9]{2}", re.ASCII)
MEMBER_ID = re.compile(r"m_[0-7][0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
CID = re.compile(r"[!-~]{1,64}", re.ASCII)
EPOCH = re.compile(r"[0-9a-hjkmnp-tv-z]{1,32}", re.ASCII)
SURROGATE = re.compile("[\ud800-\udfff]")

NICKNAME_LIMIT = 32
TEXT_LIMIT = 2_000
"""Code points of a message, unless the settings say otherwise."""
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Base 32 without I, L, O and U; ascending, so texts of one length sort as their numbers do."""

Below = Callable[[int], int]
"""Randomness: Below(n) is one of 0 .. n-1, evenly (secrets.randbelow, or random.Random(1).randrange in a test)."""


class BadName(ValueError):
    """The text is not a name of the wanted sort; str() says why, in words for the person who typed it."""


class TooLong(BadName):
    """It would be one if it were shorter."""


def room_name(text: str) -> RoomName:
    """`^[a-z0-9][a-z0-9-]{1,47}$` (docs/protocol.md, rooms). Raises BadName."""
    if not ROOM_NAME.fullmatch(text):
        raise BadName("a room name is 2 to 48 characters of a-z, 0-9 and '-', and does not start with '-'")
    return RoomName(text)


def room_code(text: str) -> RoomCode:
    """As typed from a poster: any case, spaces for hyphens. Raises BadName."""
    plain = "-".join(text.lower().replace("-", " ").split())
    if len(text) > 64 or not ROOM_CODE.fullmatch(plain):
        raise BadName("a room code is two words and two digits, such as blue-stage-42")
    return RoomCode(plain)


def make_room_code(below: Below) -> RoomCode:
    """word-word-NN out of words that are easy to say over a noisy line: nearly 10 million of them."""
    from actors.words import FIRST, SECOND

    return RoomCode(f"{FIRST[below(len(FIRST))]}-{SECOND[below(len(SECOND))]}-{below(90) + 10}")


def member_id(text: str) -> MemberId:
    """Raises BadName."""
    if not MEMBER_ID.fullmatch(text):
        raise BadName("a member id is m_ and 26 characters of Crockford's base 32")
    return MemberId(text)


def make_member_id(wall: float, randomness: bytes) -> MemberId:
    """A ULID: milliseconds since 1970 and 10 random bytes. Sorts by creation."""
    if len(randomness) != 10:
        raise ValueError("10 random bytes")
    return member_of((int(wall * 1000) & (1 << 48) - 1).to_bytes(6, "big") + randomness)


def member_of(sixteen: bytes) -> MemberId:
    return MemberId("m_" + _base32(int.from_bytes(sixteen, "big"), 26))


def member_bytes(member: MemberId) -> bytes:
    """The 16 bytes that `member_of` turns back. Only for a parsed id, not for HOUSE."""
    number = 0
    for letter in member[2:]:
        number = number << 5 | CROCKFORD.index(letter)
    return number.to_bytes(16, "big")


def cid(text: str) -> Cid:
    """1 to 64 printable ASCII characters, no spaces. Raises BadName."""
    if not CID.fullmatch(text):
        raise BadName("a cid is 1 to 64 printable ASCII characters without spaces")
    return Cid(text)


def epoch(text: str) -> Epoch:
    """Raises BadName."""
    if not EPOCH.fullmatch(text):
        raise BadName("not an epoch")
    return Epoch(text)


def message_text(text: str, limit: int = TEXT_LIMIT) -> MessageText:
    """1 to `limit` code points that UTF-8 can carry. Nothing is stripped or changed. Raises BadName."""
    if not text:
        raise BadName("a message needs a text")
    if len(text) > limit:
        raise TooLong(f"a message is at most {limit} characters, this one is {len(text)}")
    if not text.isascii() and SURROGATE.search(text):
        raise BadName("the text has half a character in it (a lone surrogate)")
    return MessageText(text)


def emoji(text: str) -> Emoji:
    """What may be reacted with: pictures in at most 16 code points, never words. Raises BadName."""
    keycap = len(text) in (2, 3) and text[0] in "0123456789#*" and text[1:].lstrip("\ufe0f") == "\u20e3"
    pictures = 0 < len(text) <= 16 and _is_picture(text[0]) and all(_is_picture(c) or _joins(c) for c in text)
    if not keycap and not pictures:
        raise BadName("a reaction is one emoji")
    return Emoji(text)


def _is_picture(each: str) -> bool:
    """The blocks from U+1F000 by number: emoji newer than this Python's tables live there too."""
    return "\U0001f000" <= each <= "\U0001faff" or each in "‼⁉〰" or (each > "\x7f" and category(each) in {"So", "Sm"})


def _joins(each: str) -> bool:
    return each in "\u200d\ufe0e\ufe0f" or "\U000e0020" <= each <= "\U000e007f"


def nickname(text: str) -> Nickname:
    """The PRECIS Nickname profile with its case kept (RFC 8266): spaces trimmed and merged, no control characters, no
    text direction overrides, compatibility forms made plain. 1 to 32 code points afterwards, and at most 2 combining
    marks on a character, so that no name can climb out of its line. Raises BadName."""
    if len(text) > 4 * NICKNAME_LIMIT:
        raise TooLong(f"a nickname is at most {NICKNAME_LIMIT} characters")
    try:
        plain = str(_profile().enforce(text))
    except UnicodeError as wrong:
        raise BadName(_why(text, wrong)) from wrong
    if len(plain) > NICKNAME_LIMIT:
        raise TooLong(f"a nickname is at most {NICKNAME_LIMIT} characters, this one is {len(plain)}")
    if _most_marks(plain) > 2:
        raise BadName("a nickname has at most 2 accents on a character")
    return Nickname(plain)


def with_suffix(name: Nickname, n: int) -> Nickname:
    """`Ana` -> `Ana-2`, cut to fit where it must be."""
    suffix = f"-{n}"
    return Nickname(name[: NICKNAME_LIMIT - len(suffix)].rstrip() + suffix)


def skeleton(name: str) -> str:
    """Equal for names that people take for each other: UTS #39 skeletons, made coarser so that neither case nor accents
    nor spaces count, and I, l, 1 and i are one. Only for comparing. The first call costs some 60 ms, then a few us."""
    table = _look_alikes()
    shape = normalize("NFD", name).translate(table).casefold()
    shape = normalize("NFD", shape).translate(table).casefold()
    return "".join(each for each in shape.replace("i", "l") if not _is_unseen(each))


def _is_unseen(each: str) -> bool:
    """Accents are those of Latin, Greek and Cyrillic; the vowel signs of other scripts make another name."""
    return "\u0300" <= each <= "\u036f" or category(each) in {"Cf", "Zs"}


class ReservedNames:
    """Names that only staff may carry. What looks like one of them is taken for it, numbers and signs around it too
    (`Adm1n-2`, `-security-`), but not a longer name that holds it (`Admina`)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._letters(name) in self._shapes

    @cached_property
    def _shapes(self) -> frozenset[str]:
        return frozenset(self._letters(name) for name in self._names)

    @staticmethod
    def _letters(name: str) -> str:
        return "".join(each for each in skeleton(name) if each.isalpha())


def _base32(number: int, width: int) -> str:
    return "".join(CROCKFORD[number >> 5 * place & 31] for place in reversed(range(width)))


def _most_marks(text: str) -> int:
    most = run = 0
    for each in normalize("NFD", text):
        run = run + 1 if category(each) in {"Mn", "Me"} else 0
        most = max(most, run)
    return most


def _why(text: str, wrong: UnicodeError) -> str:
    if not text.strip():
        return "a nickname needs at least one character"
    at = wrong.start if isinstance(wrong, UnicodeEncodeError) else 0
    return f"a nickname cannot have the character U+{ord(text[at : at + 1] or text[0]):04X}"


@lru_cache(maxsize=1)
def _profile() -> Any:
    from precis_i18n import get_profile

    return get_profile("NicknameCasePreserved")


@lru_cache(maxsize=1)
def _look_alikes() -> dict[int, str]:
    """Character -> its prototype, for str.translate. The package's data lists a prototype with all that look like it
    and everything else with its prototype alone; of a pair that names each other, the smaller one is the prototype.
    Only the data is read: importing the package would load its script tables too."""
    import json
    from importlib.resources import files

    listed = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_bytes())
    single = {_bare(character): _bare(others[0]["c"]) for character, others in listed.items() if len(others) == 1}
    return {
        ord(character): prototype
        for character, prototype in single.items()
        if len(character) == 1 and (single.get(prototype) != character or len(prototype) > 1 or prototype < character)
    }


def _bare(text: str) -> str:
    """Right-to-left characters are listed between direction marks."""
    return text.strip("\u200e") or text
