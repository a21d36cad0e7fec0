"""Member tokens: only the text that was issued is a token. The key file: made once, kept to its owner."""

import os
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.names import MemberId, make_member_id
from gateway.auth import (
    Identity,
    Key,
    KeyFileError,
    MemberTokens,
    TokenRefused,
    Why,
    load_keys,
    load_or_create_keys,
)

NOW = 1_790_000_000.7
DAY = 86_400.0
ANA = make_member_id(NOW, b"ana" + bytes(7))
BO = make_member_id(NOW, b"bo" + bytes(8))
OLD = Key(b"old!", 1, b"o" * 32)
NEW = Key(b"new!", 2, b"n" * 32)
tokens = MemberTokens((OLD, NEW))
ISSUED = tokens.issue(ANA, NOW)

walls = st.floats(0, 2**39)
member_ids = st.builds(make_member_id, walls, st.binary(min_size=10, max_size=10))


def refused(why: Why) -> TokenRefused:
    return TokenRefused(why)


@given(member_ids, walls)
def test_what_is_issued_is_accepted(member: MemberId, wall: float) -> None:
    assert tokens.verify(tokens.issue(member, wall), wall) == Identity(member, int(wall))


def test_a_token_is_short_and_may_stand_in_any_text() -> None:
    assert len(ISSUED) == 79
    assert ISSUED.startswith("b1.")
    assert set(ISSUED) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_every_flipped_bit_is_refused() -> None:
    raw = bytearray(urlsafe_b64decode(ISSUED[3:]))
    for bit in range(len(raw) * 8):
        raw[bit // 8] ^= 1 << bit % 8
        assert isinstance(tokens.verify("b1." + urlsafe_b64encode(raw).decode(), NOW), TokenRefused), bit
        raw[bit // 8] ^= 1 << bit % 8
    assert tokens.verify("b1." + urlsafe_b64encode(raw).decode(), NOW) == Identity(ANA, int(NOW))


def test_every_other_character_is_refused() -> None:
    for at in range(len(ISSUED)):
        for each in map(chr, range(256)):
            if each != ISSUED[at]:
                spoilt = ISSUED[:at] + each + ISSUED[at + 1 :]
                assert isinstance(tokens.verify(spoilt, NOW), TokenRefused), (at, each)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b1.",
        ISSUED[3:],
        ISSUED[:-1],
        ISSUED + "=",
        ISSUED + "\n",
        " " + ISSUED,
        "b2." + ISSUED[3:],
        "b1." + "é" * 76,
    ],
)
def test_other_texts_are_malformed(text: str) -> None:
    assert tokens.verify(text, NOW) == refused(Why.MALFORMED)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert isinstance(tokens.verify(text, NOW), TokenRefused)


def test_a_token_of_another_house_is_refused() -> None:
    elsewhere = MemberTokens((Key(b"else", 1, b"e" * 32),))
    assert tokens.verify(elsewhere.issue(ANA, NOW), NOW) == refused(Why.UNKNOWN_KEY)
    same_id = MemberTokens((Key(NEW.id, 1, b"e" * 32),))
    assert tokens.verify(same_id.issue(ANA, NOW), NOW) == refused(Why.FORGED)


def test_the_newest_key_signs_and_older_ones_are_accepted() -> None:
    assert tokens.verify(MemberTokens((OLD,)).issue(ANA, NOW), NOW) == Identity(ANA, int(NOW))
    assert MemberTokens((NEW,)).verify(ISSUED, NOW) == Identity(ANA, int(NOW))
    assert MemberTokens((OLD,)).verify(ISSUED, NOW) == refused(Why.UNKNOWN_KEY)


@pytest.mark.parametrize(
    ("later_s", "good"),
    [(0, True), (30 * DAY - 1, True), (30 * DAY, False), (90 * DAY, False), (-DAY + 2, True), (-DAY - 1, False)],
)
def test_a_token_lives_for_thirty_days(later_s: float, good: bool) -> None:
    expected = Identity(ANA, int(NOW)) if good else refused(Why.EXPIRED)
    assert tokens.verify(ISSUED, int(NOW) + later_s) == expected


def test_life_is_a_setting() -> None:
    short = MemberTokens((NEW,), keep_s=60)
    assert short.verify(short.issue(ANA, NOW), NOW + 59) == Identity(ANA, int(NOW))
    assert short.verify(short.issue(ANA, NOW), NOW + 61) == refused(Why.EXPIRED)


def test_revoked_tokens_are_those_of_one_member_up_to_a_time() -> None:
    revoked: dict[MemberId, int] = {}
    house = MemberTokens((NEW,), revoked=revoked)
    before, after, others = house.issue(ANA, NOW), house.issue(ANA, NOW + 1), house.issue(BO, NOW)
    revoked[ANA] = int(NOW)
    assert house.verify(before, NOW) == refused(Why.REVOKED)
    assert house.verify(after, NOW + 1) == Identity(ANA, int(NOW + 1))
    assert house.verify(others, NOW) == Identity(BO, int(NOW))


def test_keys_are_not_shown_in_logs() -> None:
    assert "nnnn" not in repr(NEW)


# The key file

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


@posix
def test_the_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "bandstand.key"
    first = load_or_create_keys(path, NOW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first == load_or_create_keys(path, NOW + 1) == load_keys(path)
    assert (len(first), first[0].issued, len(first[0].secret)) == (1, int(NOW), 32)
    assert os.listdir(tmp_path) == ["bandstand.key"]


def test_of_many_that_start_at_once_one_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bandstand.key"
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda n: load_or_create_keys(path, NOW + n), range(64)))
    assert len(found) == 1
    assert os.listdir(tmp_path) == ["bandstand.key"]


def test_two_files_hold_different_keys(tmp_path: Path) -> None:
    one, other = (load_or_create_keys(tmp_path / name, NOW)[0] for name in ("a.key", "b.key"))
    assert (one.id, one.secret) != (other.id, other.secret)


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o620, 0o644])
def test_a_file_that_others_may_use_is_refused_with_the_cure(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "bandstand.key"
    load_or_create_keys(path, NOW)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_or_create_keys(path, NOW)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no keys"),
        ("# only a remark\n", "holds no keys"),
        ("nonsense\n", "not a key"),
        ("0a0b0c0d 1 " + "ab" * 31 + "\n", "not a key"),
        ("0a0b0c0d 1 " + "ab" * 32 + " more\n", "not a key"),
        (("0a0b0c0d 1 " + "ab" * 32 + "\n") * 2, "same id"),
        ("#" * 70_000, "holds no keys"),
        ("\xff\xfe", "not a key"),
    ],
)
def test_a_file_without_good_keys_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bandstand.key"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=said):
        load_or_create_keys(path, NOW)
    assert path.read_bytes() == text.encode("latin-1")


def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        load_or_create_keys(tmp_path / "nowhere" / "bandstand.key", NOW)
    with pytest.raises(KeyFileError, match="cannot use"):
        load_or_create_keys(tmp_path, NOW)


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "bandstand.key"
    assert load_or_create_keys(path, NOW) == load_keys(path)
    assert os.listdir(tmp_path) == ["bandstand.key"]
