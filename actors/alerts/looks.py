"""What can be asked about alerts, answered from the book; and what the feed of activity is told of them. Pure."""

from collections.abc import Mapping

from actors.alerts.book import Book, Case
from actors.alerts.ledger import STATES, Ledger
from actors.alerts.messages import Names, NamesPage, Report
from actors.alerts.vocabulary import AlertId, Life, Reach
from actors.names import RoomName
from actors.refusals import Reason, Refused


def summary(book: Book, zones: Mapping[RoomName, str], name: AlertId | None) -> tuple[Report, ...]:
    """Newest first; of one alert, or of all that are kept."""
    cases = book.cases
    wanted = reversed(cases.values()) if name is None else [cases[name]] if name in cases else []
    return tuple(book.report(case, zones) for case in wanted)


def names(book: Book, ask: Names) -> NamesPage | Refused:
    case = book.cases.get(ask.alert)
    ledger = None if case is None else case.ledgers.get(case.alert.rev if ask.rev is None else ask.rev)
    if ledger is None:
        return Refused(Reason.BAD_ANCHOR, "there is no such alert or revision")
    if ask.state not in STATES or ask.page < 1:
        return Refused(Reason.BAD_FRAME, f"a state is one of {', '.join(STATES)}; pages count from 1")
    return ledger.names(ask.state, ask.room, ask.page)


ANSWERED = {Reach.WRITTEN: "reached", Reach.SEEN: "saw it", Reach.ACKNOWLEDGED: "acknowledged"}
Told = tuple[str, dict[str, object]]
"""An event's text and data."""


def told(case: Case) -> Told:
    """Of a new revision; with where the one before stood, which ends with it."""
    alert = case.alert
    said = f"{alert.id} rev {alert.rev} ({alert.draft.status} {alert.kind}): {alert.draft.headline}"
    data = {"alert": alert.id, "rev": alert.rev, "targeted": case.ledger.targeted, "recorded": alert.recorded}
    ended = case.ledgers.get(alert.rev - 1)
    if ended is None:
        return said, data
    what = f"rev {ended.key.rev}" if alert.state is Life.ACTIVE else alert.id
    return f"{said}; {what} ended: {_outcome(ended)}", {**data, "final": ended.final().shown()}


def told_expired(case: Case) -> Told:
    ledger = case.ledger
    data = {"alert": case.alert.id, "rev": case.alert.rev, "final": ledger.final().shown()}
    return f"{case.alert.id} has expired: {_outcome(ledger)}", data


def _outcome(ledger: Ledger) -> str:
    """In a few words: 812 of 1,064 acknowledged, 3 asked for help (1 of them still waits)."""
    tally = ledger.tally()
    open = tally.help - tally.helped
    waiting = f" ({open:,} of them still {'waits' if open == 1 else 'wait'})" if open else ""
    asked = f", {tally.help:,} asked for help{waiting}" if tally.help else ""
    return f"{ledger.answered:,} of {ledger.targeted:,} {ANSWERED[ledger.wanted]}{asked}"
