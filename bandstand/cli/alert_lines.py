"""An alert as lines for a terminal. Every line of a drill says that it is one, wherever it is cut."""

import time

from bandstand.cli.admin_phone import RESPONSE, status_word
from bandstand.cli.lines import clock, moment, plain
from bandstand.client import Alert, AlertOver

KIND = {"update": "UPDATE", "cancel": "CANCELLED", "all_clear": "ALL CLEAR"}
CLOSING = ("cancel", "all_clear")
WHY = {"cancelled": ": it was cancelled", "expired": ": its time is over", "cleared": ": all clear"}


def alert_lines(event: Alert | AlertOver) -> str:
    if isinstance(event, AlertOver):
        return f"{clock(time.time())} !! {plain(event.id)} is over{WHY.get(event.why, '')}"
    word = status_word(event.status)
    mark = f"!! {word} " if word else "!! "
    told = [line for number, lang in enumerate(event.info) for line in _words(event, lang, named=number > 0)]
    return "\n".join([f"{clock(event.sent)} {mark}{_head(event)}", *(mark + line for line in (*told, *_asked(event)))])


def _head(alert: Alert) -> str:
    kind = KIND.get(alert.kind, "ALERT") + (" (still in force)" if alert.reminder else "")
    if alert.kind in CLOSING:
        return f"{kind} {plain(alert.id)}"
    what = "; ".join(each for each in (plain(alert.severity), RESPONSE.get(alert.response, "")) if each)
    return f"{kind} {plain(alert.id)}: {what}; until {moment(alert.expires)}"


def _words(alert: Alert, lang: str, *, named: bool) -> list[str]:
    """The house's own language first; the others with their name."""
    headline, text = alert.info[lang]
    lines = [plain(headline), *(plain(line) for line in text.split("\n") if line)]
    return [f"[{plain(lang)}] {line}" for line in lines] if named else lines


def _asked(alert: Alert) -> list[str]:
    if alert.kind in CLOSING:
        return []
    read = "" if alert.ack == "none" else "/read when you have read this; "
    return [f"{read}/help-me NOTE if you need help"]
