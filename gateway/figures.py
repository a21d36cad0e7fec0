"""Which figure of which owner stands in /metrics under which name. docs/operations.md explains them."""

import importlib.metadata
import resource
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from actors.house import House
from actors.journal.desk import Desk
from actors.kernel import State
from actors.stats.sources import Outside
from gateway.admin.connection import Lobby
from gateway.connection import Connection, Counts
from gateway.listener import Listener
from gateway.metrics import Metrics
from gateway.outlet import SocketOutlet
from gateway.pulse import Pulse


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


def gateway_figures(
    metrics: Metrics, counts: Counts, listener: Listener, pulse: Pulse, inside: Collection[Connection]
) -> None:
    version = _version()
    metrics.gauge("connections", "WebSocket connections.", lambda: counts.open)
    metrics.gauge("connections_authenticated", "Those who have said who they are.", lambda: counts.authenticated)
    metrics.gauge("sockets", "Accepted sockets, of whatever kind.", lambda: listener.live)
    metrics.counter("sockets_accepted", "Accepted since the start.", lambda: listener.accepted)
    metrics.counter("connection_faults", "Connections ended by a mistake of the server.", lambda: listener.faults)
    metrics.counters("connections_closed", "Ended connections by cause.", "cause", lambda: counts.closed)
    metrics.histogram("ping_rtt_seconds", "Heartbeats and their echoes.", counts.rtt)
    metrics.histogram("event_loop_lag_seconds", "How late a timer of the loop fires.", pulse.lag)
    metrics.gauge("outlet_bytes", "What waits for lines that are slower than the chat.", lambda: _waiting_bytes(inside))
    metrics.gauges("build_info", "Always 1; what runs is in the label.", "version", lambda: {version: 1.0})
    metrics.gauge("tasks", "Tasks of the loop.", pulse.tasks)
    metrics.counter("process_cpu_seconds", "User and system time.", _cpu_seconds)
    metrics.gauge("process_max_resident_bytes", "Peak resident memory.", _peak_bytes)


def ops_figures(metrics: Metrics, lobby: Lobby) -> None:
    ended = lobby.counts.ended
    labels = ("command", "result")
    metrics.counter_table("admin_commands", "Operators' commands by how they ended.", labels, lambda: ended)
    metrics.gauge("admin_connections", "Operators' connections.", lambda: len(lobby.inside))


def _version() -> str:
    try:
        return importlib.metadata.version("bandstand")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"  # run from its sources


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_bytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
