"""CAP 1.2 out and in: what was written here comes back as it was, what others write is understood, attacks are not."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from actors.alerts.cap import from_xml, to_xml
from actors.alerts.vocabulary import Alert, AlertId, Draft, Kind
from actors.refusals import Refused
from tests.alerts.making import at, draft

NOW = at(0).wall
words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
                  "\u2066\u2067\u2068\u2069\ufffe\uffff"),
    min_size=1,
    max_size=40,
).map(str.strip).filter(bool)  # fmt: skip


def alert(made: Draft, rev: int = 1, kind: Kind = Kind.ALERT) -> Alert:
    return Alert(AlertId("A017-K3X"), rev, kind, made, NOW, NOW + made.expires_s, "ana", made.rooms)


@given(headline=words, text=words | st.just(""), de=words, ack=st.sampled_from(["none", "seen", "required"]))
def test_what_was_written_here_is_read_back(headline: str, text: str, de: str, ack: str) -> None:
    made = draft(headline=headline, text=text, info={"de": {"headline": de}}, ack=ack, correction={"headline": de})
    assert from_xml(to_xml(alert(made)), NOW) == made


@pytest.mark.parametrize("whom", [{"all": True}, {"zones": ["north", "south"]}, {"rooms": ["tent", "main-stage"]}])
def test_whom_it_is_for_is_read_back(whom: dict[str, Any]) -> None:
    made = draft(**{"rooms": None, **whom}, escalate_s=60, escalate_below=0.8, remind_s=0)
    assert from_xml(to_xml(alert(made)), NOW) == made


def test_a_revision_names_the_one_it_replaces() -> None:
    first = alert(draft())
    text = to_xml(alert(draft(), 2, Kind.ALL_CLEAR), replaced_sent=first.sent)
    assert "<identifier>A017-K3X.2</identifier>" in text
    assert "<references>bandstand,A017-K3X.1,2026-09-21T14:13:20-00:00</references>" in text
    assert "<msgType>Update</msgType>" in text
    assert "<responseType>AllClear</responseType>" in text


FOREIGN = """<?xml version="1.0"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2" xmlns:x="urn:other">
  <identifier>NWS-1</identifier><sender>w-nws.webmaster@noaa.gov</sender><sent>2026-09-21T14:00:00-00:00</sent>
  <status>Actual</status><msgType>Alert</msgType><scope>Public</scope>
  <info>
    <category>Met</category><event>Severe Thunderstorm</event><responseType>Shelter</responseType>
    <urgency>Immediate</urgency><severity>Severe</severity><certainty>Observed</certainty>
    <expires>2026-09-21T17:13:20+02:00</expires>
    <senderName>NWS</senderName>
    <description>Hail &amp; wind.</description><instruction>Go inside.</instruction>
    <parameter><valueName>HSAS</valueName><value>ORANGE</value></parameter>
    <area><areaDesc>Everywhere</areaDesc><polygon>1,1 2,2 3,3 1,1</polygon></area>
    <x:more>of another namespace</x:more>
  </info>
</alert>"""


def test_an_alert_of_another_system_is_for_everybody() -> None:
    made = from_xml(FOREIGN, NOW)
    assert isinstance(made, Draft)
    assert (made.all, made.language, made.headline, made.expires_s) == (True, "en-US", "Severe Thunderstorm", 3_600.0)
    assert made.info["en-US"].text == "Hail & wind.\n\nGo inside."


LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]>'
BAD: list[tuple[str, str]] = [
    ("", "not well-formed"),
    ("<alert", "not well-formed"),
    (FOREIGN + "x" * 65_536, "at most 65536 bytes"),
    (FOREIGN.replace('<?xml version="1.0"?>', LAUGHS), "document type"),
    (FOREIGN.replace('<?xml version="1.0"?>', '<!DOCTYPE a SYSTEM "file:///etc/passwd">'), "document type"),
    (FOREIGN.replace("cap:1.2", "cap:1.1"), "not CAP 1.2"),
    (FOREIGN.replace(' xmlns="urn:oasis:names:tc:emergency:cap:1.2"', ""), "not CAP 1.2"),
    (FOREIGN.replace("<info>", "<info>" + "<a>" * 9 + "</a>" * 9), "too deep"),
    (FOREIGN.replace("<info>", "<info>" + "<a/>" * 3_000), "too deep or too many"),
    (FOREIGN.replace("Actual", "Real"), "'Real' is no status"),
    (FOREIGN.replace("<msgType>Alert", "<msgType>Cancel"), "only an Alert or an Update"),
    (FOREIGN.replace("2026-09-21T17:13:20+02:00", "2026-09-21T14:00:00-00:00"), "expired already"),
    (FOREIGN.replace("2026-09-21T17:13:20+02:00", "2026-09-21T17:13:20"), "has no zone"),
    (FOREIGN.replace("2026-09-21T17:13:20+02:00", "soon"), "no date and time"),
    (FOREIGN.replace("<severity>Severe</severity>", ""), "info has no severity"),
    (FOREIGN.replace("<status>", "<status>Test</status><status>"), "more than one status"),
    (FOREIGN.replace("Hail", "x" * 2_001), "at most 2000 characters"),
    (FOREIGN.replace("HSAS", "bandstand:remind_s"), "is a number"),
    (FOREIGN.replace("HSAS", "bandstand:ack"), "ack is one of"),
    ("\ud800", "half a character"),
]


@pytest.mark.parametrize(("text", "why"), BAD, ids=range(len(BAD)))
def test_what_is_not_an_alert_is_refused_with_a_reason(text: str, why: str) -> None:
    refused = from_xml(text, NOW)
    assert isinstance(refused, Refused)
    assert why in refused.message


@given(st.binary(max_size=60), st.integers(0, len(FOREIGN)))
def test_noise_is_refused_or_read_and_never_worse(noise: bytes, where: int) -> None:
    text = FOREIGN[:where] + noise.decode(errors="replace") + FOREIGN[where:]
    assert isinstance(from_xml(text, NOW), Draft | Refused)


def test_angle_brackets_stay_text() -> None:
    made = draft(headline="a < b & c > d", text='"]]>')
    assert from_xml(to_xml(alert(made)), NOW) == evolve(made)
