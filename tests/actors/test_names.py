"""Names: parsed once, at the door."""

import random
from unicodedata import category, normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.names import (
    HOUSE,
    BadName,
    Nickname,
    ReservedNames,
    TooLong,
    cid,
    emoji,
    epoch,
    make_member_id,
    make_room_code,
    member_bytes,
    member_id,
    member_of,
    message_text,
    nickname,
    room_code,
    room_name,
    skeleton,
    with_suffix,
)
from actors.words import FIRST, SECOND

any_text = st.text(st.characters(), max_size=40)


@pytest.mark.parametrize("text", ["ab", "main-stage", "0a", "a" * 48, "blue-stage-42"])
def test_room_names(text: str) -> None:
    assert room_name(text) == text


@pytest.mark.parametrize("text", ["", "a", "-ab", "a" * 49, "Main", "main stage", "mäin", "ab\n", "a_b", "a٣", "a/b"])
def test_what_is_no_room_name(text: str) -> None:
    with pytest.raises(BadName):
        room_name(text)


# Codes


@pytest.mark.parametrize("typed", ["blue-stage-42", "Blue Stage 42", " BLUE  STAGE-42 ", "blue--stage 42"])
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    assert room_code(typed) == "blue-stage-42"


@pytest.mark.parametrize(
    "typed", ["", "blue-stage", "blue-stage-4", "blue-stage-423", "bluestage42", "x" * 65, "bl-stage-42"]
)
def test_what_is_no_code(typed: str) -> None:
    with pytest.raises(BadName):
        room_code(typed)


@given(st.integers())
def test_codes_are_codes_and_room_names(seed: int) -> None:
    code = make_room_code(random.Random(seed).randrange)
    assert str(room_code(code)) == str(room_name(code)) == code


def test_words_are_many_short_and_all_different() -> None:
    for words in (FIRST, SECOND):
        assert len(words) >= 200
        assert len(set(words)) == len(words)
        assert all(word.isascii() and word.islower() and word.isalpha() and 2 < len(word) < 13 for word in words)
    assert not set(FIRST) & set(SECOND)


# Members, cids, epochs


@given(st.floats(0, 4e9), st.binary(min_size=10, max_size=10))
def test_member_ids_are_parsed_again_and_fit_16_bytes(wall: float, randomness: bytes) -> None:
    made = make_member_id(wall, randomness)
    assert member_id(made) == made
    assert member_of(member_bytes(made)) == made


@given(st.binary(min_size=16, max_size=16))
def test_any_16_bytes_are_one_member_id(sixteen: bytes) -> None:
    assert member_bytes(member_id(member_of(sixteen))) == sixteen


def test_member_ids_sort_by_creation() -> None:
    made = [make_member_id(wall, b"\xff" * 10) for wall in (0, 1, 1.001, 1.79e9, 4e9)]
    assert made == sorted(made)
    assert make_member_id(1.79e9, bytes(10))[:12] == make_member_id(1.79e9, b"\xff" * 10)[:12]


def test_randomness_is_ten_bytes() -> None:
    with pytest.raises(ValueError, match="10"):
        make_member_id(0, bytes(9))


@pytest.mark.parametrize(
    "text", [HOUSE, "", "m_", "m_8" + "0" * 25, "m_0" + "0" * 24, "m_" + "I" * 26, "m_" + "0" * 26 + "\n"]
)
def test_what_is_no_member_id(text: str) -> None:
    with pytest.raises(BadName):
        member_id(text)


@given(any_text)
def test_cids_are_printable_ascii(text: str) -> None:
    good = 0 < len(text) <= 64 and all("!" <= each <= "~" for each in text)
    if good:
        assert cid(text) == text
    else:
        with pytest.raises(BadName):
            cid(text)


@pytest.mark.parametrize("text", ["", "K3V9", "k" * 33, "a-b", "aib"])
def test_what_is_no_epoch(text: str) -> None:
    with pytest.raises(BadName):
        epoch(text)
    assert epoch("1m3250v002t4") == "1m3250v002t4"


# Texts and reactions


@given(any_text)
def test_texts_are_taken_as_they_are_or_not_at_all(text: str) -> None:
    if text and not any(category(each) == "Cs" for each in text):
        assert message_text(text) == text
    else:
        with pytest.raises(BadName):
            message_text(text)


@pytest.mark.parametrize("text", ["\ud800", "a\udc00b", "\ud83d\ude00", "é\udfff"])
def test_texts_hold_no_half_characters(text: str) -> None:
    with pytest.raises(BadName, match="half a character"):
        message_text(text)


def test_texts_are_bounded_in_code_points() -> None:
    assert message_text(" \n" * 1_000) == " \n" * 1_000
    with pytest.raises(TooLong, match="2001"):
        message_text("😀" * 2_001)
    with pytest.raises(TooLong):
        message_text("abcd", limit=3)


@pytest.mark.parametrize(
    "text", ["👍", "❤️", "❤", "1️⃣", "#⃣", "👨‍👩‍👧", "🇩🇪", "👍🏽", "‼️", "✔", "↔️", "\U0001fae9", "🏴\U000e0067\U000e007f"]
)
def test_emoji(text: str) -> None:
    assert emoji(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hi",
        "a",
        "1",
        "#",
        "a👍",
        "👍a",
        "\ufe0f",
        "\u200d",
        "1\ufe0f",
        "1\ufe0f\ufe0f\u20e3",
        "!",
        " ",
        "👍 👍",
        "👍" * 17,
        "…",
        "\ud83d",
        "<b>",
    ],
)
def test_what_is_no_emoji(text: str) -> None:
    with pytest.raises(BadName):
        emoji(text)


@given(any_text)
def test_reactions_never_carry_words(text: str) -> None:
    try:
        emoji(text)
    except BadName:
        return
    assert not any(each.isalpha() for each in text)


# Nicknames


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Ana", "Ana"),
        ("  Ana   Maria ", "Ana Maria"),
        ("ÅNA", "ÅNA"),
        ("ﬁ", "fi"),
        ("Ａｎａ", "Ana"),
        ("李雷", "李雷"),
        ("राम", "राम"),
        ("שלום", "שלום"),
        ("Tiếng", "Tiếng"),
        ("🎸", "🎸"),
        ("x" * 32, "x" * 32),
        ("a\u0301\u0302", "á\u0302"),
    ],
)
def test_nicknames(typed: str, name: str) -> None:
    assert nickname(typed) == name


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "\t",
        "A\nna",
        "A\x00na",
        "\x1b[31mAna",
        "Ana\u202egro",
        "\u2066Ana",
        "a\u200bb",
        "\ufeffAna",
        "\ud800",
        "\u0378",
        "x" * 33,
        "x" * 129,
        "ﷺ" * 3,
        "a\u0300\u0301\u0302",
        "Z̗̖̙̘",
        "A\u2028B",
    ],
)
def test_what_is_no_nickname(typed: str) -> None:
    with pytest.raises(BadName):
        nickname(typed)


@given(st.text(st.characters(), max_size=140))
def test_a_nickname_is_plain_short_and_stays_what_it_is(typed: str) -> None:
    try:
        name = nickname(typed)
    except BadName:
        return
    assert 1 <= len(name) <= 32
    assert not {category(each) for each in name} & {"Cc", "Cs", "Zl", "Zp"}
    # Joiners stay where a script needs them (RFC 5892, appendix A).
    assert {each for each in name if category(each) == "Cf"} <= {"\u200c", "\u200d"}
    assert nickname(name) == name


nicknames = st.text(st.sampled_from("aAáлIl1 日🎸-\u0301"), min_size=1, max_size=32).map(
    lambda text: Nickname(text.strip() or "x")
)


@given(nicknames, st.integers(2, 10**6))
def test_a_suffix_tells_apart_within_the_length(name: Nickname, n: int) -> None:
    told = with_suffix(name, n)
    assert told.endswith(f"-{n}")
    assert len(told) <= 32
    assert len(name) > 24 or told == f"{name}-{n}"


def test_suffixes_of_a_name_do_not_look_alike() -> None:
    shapes = [skeleton(with_suffix(Nickname("x" * 32), n)) for n in range(2, 2_000)]
    assert len(set(shapes)) == len(shapes)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice", "alice"),
        ("Alice", "AIice"),
        ("Alice", "ALICE"),
        ("Alice", "Al1ce"),
        ("Alice", "А\u200dlice"),
        ("Alice", "Alicé"),
        ("paypal", "раураl"),
        ("O", "0"),
        ("m", "rn"),
        ("Ana Maria", "AnaMaria"),
        ("Ana", "𝐀𝐧𝐚"),
        ("Jo", "Jо"),
    ],
)
def test_names_that_people_take_for_each_other_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Ana", "Bo"), ("Ana", "Anna"), ("राम", "रीम"), ("李", "雷"), ("Ana-2", "Ana-3")]
)
def test_names_that_differ_have_two(one: str, other: str) -> None:
    assert skeleton(one) != skeleton(other)


@given(any_text)
def test_a_skeleton_is_its_own_skeleton(text: str) -> None:
    assert skeleton(skeleton(text)) == skeleton(text)


@given(any_text)
def test_neither_case_nor_composition_changes_a_skeleton(text: str) -> None:
    assert skeleton(normalize("NFD", text)) == skeleton(normalize("NFC", text))
    if text.isascii():
        assert skeleton(text.upper()) == skeleton(text.lower())


def test_reserved_names_are_found_behind_what_they_are_dressed_in() -> None:
    reserved = ReservedNames(["admin", "security"])
    for name in (
        "admin",
        "Admin",
        "ADM1N",
        "аdmin",
        "admin-2",
        "-admin-",
        "a d m i n",
        "Ádmin",
        "adrnin",
        "Security!",
    ):
        assert name in reserved, name
    for name in ("Admina", "Ana", "securities", "min"):
        assert name not in reserved, name
