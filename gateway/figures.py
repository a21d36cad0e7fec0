"""Which figure of which owner stands in /metrics under which name. docs/operations.md explains them."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from actors.house import House
from actors.journal.desk import Desk
from actors.kernel import State
from actors.stats.sources import Outside
from actors.tally import AlertTally
from gateway.admin.connection import Lobby
from gateway.connection import Connection, Counts
from gateway.listener import Listener
from gateway.metrics import Labelled, Metrics
from gateway.outlet import SocketOutlet
from gateway.pulse import Pulse
from gateway.wire.portable import Portable


def house_figures(metrics: Metrics, house: House) -> None:
    tally = house.tally
    metrics.counter("messages_received", "Messages that reached a room.", lambda: tally.messages_received)
    metrics.counter("messages_accepted", "Messages committed.", lambda: tally.messages_accepted)
    metrics.counter("messages_rejected", "Messages refused or repeated.", lambda: tally.messages_rejected)
    metrics.counter("messages_delivered", "Live deliveries to members.", lambda: tally.messages_delivered)
    metrics.counter("replayed_messages", "Entries fed to members who were behind.", lambda: tally.replayed)
    metrics.counter("delivered_bytes", "Bytes of live deliveries.", lambda: tally.deliveries_bytes)
    metrics.counters("resumes", "Joins by how they began.", "mode", lambda: tally.resumes)
    metrics.counters("catch_ups", "Members who began to be fed, by reason.", "reason", lambda: tally.catch_ups)
    metrics.counter("positions_beyond_head", "Joins that claimed what was never given.", lambda: tally.beyond_head)
    metrics.histogram("fanout_duration_seconds", "From the log's news to the last level member.", tally.fanout)
    metrics.histogram(
        "delivery_duration_seconds", "From the hand-over to the disk to the last level member.", tally.delivery
    )
    metrics.gauge("people", "Members who are connected.", lambda: tally.people.online)
    metrics.gauge("people_peak", "Most members connected at once.", lambda: tally.people.peak)
    metrics.gauge("people_unique", "Different members since the start.", lambda: tally.people.unique)
    metrics.counter("activity_events_dropped", "Events that are not kept.", lambda: house.feed.dropped)
    metrics.histogram("history_access_seconds", "A read of a room's tail in memory.", tally.history_access)
    metrics.gauge("rooms", "Rooms that are up.", lambda: len(house.refs))
    metrics.gauge("rooms_quarantined", "Rooms in quarantine.", lambda: _states(house)[State.QUARANTINED])
    metrics.counter("room_restarts", "Restarts of rooms.", lambda: house.room_restarts)
    metrics.counters("dead_letters", "Mail that died, by reason.", "reason", lambda: _dead_letters(house))
    alert_figures(metrics, house.alert_board.book.tally)


def alert_figures(metrics: Metrics, tally: AlertTally) -> None:
    sort = ("kind", "severity", "status")
    metrics.counter_table("alerts", "Alerts and their revisions that were sent.", sort, lambda: tally.sent)
    metrics.counters("alert_receipts", "Receipts that were taken.", "state", lambda: tally.receipts)
    metrics.histogram(
        "alert_delivery_seconds", "From an alert's sending to its last byte in a target's socket.", tally.delivery
    )


def _states(house: House) -> Counter[State]:
    return Counter(status.state for status in house.rooms.children.values())


def _dead_letters(house: House) -> dict[str, float]:
    counts: Counter[str] = Counter()
    for supervisor in (house.rooms, house.floors):
        for reason, count in supervisor.letters.by_reason.items():
            counts[reason.value] += count
    return dict(counts)


def journal_figures(metrics: Metrics, desk: Desk, size: Callable[[], int]) -> None:
    counters = desk.counters
    metrics.counter("journal_commits", "Transactions.", lambda: counters.commits)
    metrics.counter("journal_rows", "Entries committed.", lambda: counters.rows)
    metrics.counter("journal_errors", "Commits that failed.", lambda: counters.failed_commits)
    metrics.gauge("journal_queue_messages", "Drafts without an answer.", lambda: counters.in_flight)
    metrics.gauge("journal_last_commit_seconds", "Duration of the last commit.", lambda: counters.last_commit_s)
    metrics.histogram("journal_commit_duration_seconds", "Transactions, by how long they took.", counters.commit)
    metrics.histogram("journal_batch_rows", "Drafts of a commit.", counters.batch_rows)
    metrics.gauge("journal_size_bytes", "The database and its log.", size)
    metrics.gauge("journal_biggest_batch_rows", "Most drafts in one commit.", lambda: counters.biggest_batch)


def feed_stats(outside: Outside, desk: Desk, pulse: Pulse, size: Callable[[], int]) -> None:
    """What the stats actor cannot count by itself."""
    outside.lag = pulse.lag
    outside.commits = desk.counters.commit
    outside.journal_queue = lambda: desk.counters.in_flight
    outside.journal_bytes = size


def size_of(database: Path) -> int:
    """With its write-ahead log; 0 where there is none."""
    total = 0
    for path in (database, database.with_name(database.name + "-wal")):
        with suppress(OSError):
            total += path.stat().st_size
    return total


def _waiting_bytes(inside: Iterable[Connection]) -> int:
    """A look at each connection, at a scrape only."""
    return sum(each.outlet.waiting_bytes for each in inside if isinstance(each.outlet, SocketOutlet))


def socket_figures(metrics: Metrics, listener: Listener, portable: Portable) -> None:
    metrics.gauge("sockets", "Accepted sockets, of whatever kind.", lambda: listener.live)
    metrics.counter("sockets_accepted", "Accepted since the start.", lambda: listener.accepted)
    metrics.counter("connection_faults", "Connections ended by a mistake of the server.", lambda: listener.faults)
    metrics.counters("handshakes", "WebSocket handshakes by how they ended.", "result", lambda: listener.handshakes)
    metrics.counter("received_bytes", "Bytes that came over WebSockets.", lambda: portable.received_bytes)
    metrics.counter("sent_bytes", "Bytes that left over WebSockets.", lambda: portable.sent_bytes)


def gateway_figures(
    metrics: Metrics, counts: Counts, pulse: Pulse, inside: Collection[Connection], version: str
) -> None:
    metrics.histogram("ping_rtt_seconds", "Heartbeats and their echoes.", counts.rtt)
    metrics.histogram("event_loop_lag_seconds", "How late a timer of the loop fires.", pulse.lag)
    metrics.gauge("outlet_bytes", "What waits for lines that are slower than the chat.", lambda: _waiting_bytes(inside))
    metrics.gauges("build_info", "Always 1; what runs is in the label.", "version", lambda: {version: 1.0})
    metrics.gauge("tasks", "Tasks of the loop.", pulse.tasks)
    metrics.counter("process_cpu_seconds", "User and system time.", time.process_time)
    metrics.gauge("process_max_resident_bytes", "Peak resident memory.", _peak_bytes)


def ops_figures(metrics: Metrics, lobby: Lobby, counts: Counts) -> None:
    """`counts`: of the members' side, for the figures in which operators are counted beside them."""
    ended = lobby.counts.ended
    metrics.gauges("connections", "WebSocket connections by who is there.", "role", lambda: _by_role(lobby, counts))
    metrics.counters(
        "connections_closed",
        "Ended connections by reason.",
        "reason",
        lambda: _sums(counts.closed, lobby.counts.closed),
    )
    labels = ("command", "result")
    metrics.counter_table("admin_commands", "Operators' commands by how they ended.", labels, lambda: ended)
    metrics.gauge("admin_connections", "Operators' connections.", lambda: len(lobby.inside))
    metrics.gauge("admin_watches", "Topics that operators watch.", lambda: len(lobby.watches))


def _by_role(lobby: Lobby, counts: Counts) -> Labelled:
    """A stranger has not said yet who it is, whichever of the two it will be."""
    operators = sum(each.is_signed_in for each in lobby.inside)
    strangers = counts.open - counts.authenticated + len(lobby.inside) - operators
    return {"member": counts.authenticated, "operator": operators, "stranger": strangers}


def _sums(*tables: Labelled) -> Labelled:
    total: Counter[str] = Counter()
    for table in tables:
        total.update(table)
    return total


def _peak_bytes() -> float:
    """0 where the system does not say."""
    try:
        import resource  # not on Windows
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
