"""What an operator may write, and what is said when it is wrong."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.alerts.drafts import LANGUAGES, as_json, changed, check, closing, corrected, draft_of
from actors.alerts.vocabulary import Ack, Draft, Words
from actors.refusals import Refused
from tests.alerts.making import ARGS, draft


def test_a_plain_alert_is_understood_with_its_defaults() -> None:
    made = draft()
    assert (made.headline, made.language, made.ack) == ("Leave by the north gate", "en", Ack.REQUIRED)
    assert (made.remind_s, made.receipt_spread_ms, made.all, made.zones) == (60.0, 5_000, False, ())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"status": "real"}, "status is one of actual, exercise, test"),
    ({"status": True}, "status is one of"),
    ({"severity": None}, "severity is missing"),
    ({"expires_s": None}, "always has an end"),
    ({"expires_s": "600"}, "expires_s is a number"),
    ({"expires_s": True}, "expires_s is a number"),
    ({"expires_s": float("nan")}, "expires_s is a number"),
    ({"expires_s": 0}, "expires_s is 1 to"),
    ({"rooms": None}, "exactly one of rooms, zones and all"),
    ({"all": True}, "exactly one of rooms, zones and all"),
    ({"all": 1}, "all is true or false"),
    ({"rooms": []}, "rooms is empty"),
    ({"rooms": "main"}, "rooms is a list of names"),
    ({"rooms": ["No Room"]}, "rooms: a room name is"),
    ({"rooms": None, "zones": ["North End"]}, "a zone is"),
    ({"headline": ""}, "needs a headline"),
    ({"headline": None, "text": None}, "needs a headline"),
    ({"headline": "a\nb"}, "control character"),
    ({"headline": "a\u202eb"}, "control character"),
    ({"headline": "\ud800"}, "control character"),
    ({"headline": "x" * 161}, "at most 160 characters, this one is 161"),
    ({"text": "x" * 2_001}, "at most 2000 characters"),
    ({"text": 7}, "is a text"),
    ({"lang": "english"}, "a language is a code"),
    ({"info": {"en": {"headline": "x"}}}, "given twice"),
    ({"info": {"de": {"titel": "x"}}}, "info.de is a headline and a text"),
    ({"info": []}, "info is a headline and a text by language"),
    ({"info": {f"d{a}": {"headline": "x"} for a in "abcdefghijklm"}}, f"at most {LANGUAGES} languages"),
    ({"info": {f"d{a}": {"headline": "x", "text": "\U0001f525" * 2_000} for a in "abc"}}, "bytes, at most"),
    ({"remind_s": 2}, "remind_s is 0 (never) or at least 5"),
    ({"ack": "maybe"}, "ack is one of none, seen, required"),
    ({"correction": "sorry"}, "correction is a headline and a text"),
    ({"escalate_s": 0}, "escalate_s is 1 to"),
    ({"escalate_below": 1.5}, "escalate_below is 0 to 1"),
    ({"volume": 11}, "an alert has no 'volume'"),
]


@pytest.mark.parametrize(("change", "why"), WRONG, ids=[f"{n}-{next(iter(row[0]))}" for n, row in enumerate(WRONG)])
def test_what_is_wrong_is_said(change: dict[str, Any], why: str) -> None:
    refused = draft_of({name: value for name, value in {**ARGS, **change}.items() if value is not None})
    assert isinstance(refused, Refused)
    assert why in refused.message


def test_an_update_changes_what_it_names_and_new_words_replace_all_the_old_ones() -> None:
    old = draft(info={"de": {"headline": "Raus"}})
    new = changed(old, {"severity": "minor", "remind_s": 0})
    assert isinstance(new, Draft)
    assert (new.severity, new.remind_s, new.info) == ("minor", 0.0, old.info)
    words = changed(old, {"text": "By the south gate."})
    assert isinstance(words, Draft)
    assert words.info == {"en": Words("Leave by the north gate", "By the south gate.")}
    for fixed in ({"rooms": ["tent"]}, {"all": True}, {"status": "test"}, {}):
        assert isinstance(changed(old, fixed), Refused)


def test_a_correction_is_sent_as_it_was_prepared_and_once() -> None:
    made = corrected(draft(correction={"headline": "False alarm", "text": "Stay."}))
    assert isinstance(made, Draft)
    assert made.info == {"en": Words("False alarm", "Stay.")}
    assert isinstance(corrected(made), Refused)


def test_last_words_want_nothing_of_anybody() -> None:
    made = closing(draft(escalate_s=60, correction={"headline": "x"}), "All clear: it", "Come back.")
    assert isinstance(made, Draft)
    assert (made.ack, made.remind_s, made.escalate_s, made.correction) == (Ack.NONE, 0.0, None, None)
    assert made.headline == "All clear: it"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "remind_s": st.sampled_from([0, 5, 60.5]),
            "receipt_spread_ms": st.integers(0, 600_000),
            "ack": st.sampled_from(["none", "seen", "required"]),
            "lang": st.sampled_from(["en", "de-AT"]),
            "correction": st.just({"headline": "No", "text": ""}),
            "escalate_s": st.integers(1, 600),
            "escalate_below": st.floats(0, 1),
            "rooms": st.sampled_from([["a1"], ["a1", "b2"]]),
        },
    )
)
def test_what_is_stored_is_read_back(changes: dict[str, Any]) -> None:
    made = draft(**changes)
    assert draft_of(as_json(made)) == made
    assert check(made) is None
