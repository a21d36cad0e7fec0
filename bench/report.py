"""What people read (tables) and what programs read (JSON) of the same results."""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.dashboard import TOPICS
from bench.data import as_data
from bench.measure import Round, median_of
from bench.proc import machine_line
from bench.sampled import Counts
from bench.scenarios.alert import Alarm, AlertRun
from bench.scenarios.fanout import Fanout, Loop
from bench.scenarios.idle import Idle
from bench.scenarios.memory import Memory
from bench.scenarios.start import Start
from bench.scenarios.stats import StatsRun
from bench.scenarios.watch import Pair, WatchRun, Window
from bench.targets import ALERT, ALERT_FLOOD, STATS, WATCH, Target, Verdict

Figure = Callable[[Round], float | None]
CROWDED = 0.15
"""Share of a core: with more of it used by somebody else, clocks say little."""

COLUMNS: tuple[tuple[str, Figure, str], ...] = (
    ("posts", lambda r: r.posts, ",.0f"),
    ("deliveries", lambda r: r.deliveries, ",.0f"),
    ("deliveries/s", lambda r: r.per_second, ",.0f"),
    ("per core-s", lambda r: r.per_core_second, ",.0f"),
    ("µs/delivery", lambda r: r.us_per_delivery, ".2f"),
    ("p50 ms", lambda r: r.latency.p50_ms if r.latency else None, ".1f"),
    ("p99 ms", lambda r: r.latency.p99_ms if r.latency else None, ".1f"),
    ("max ms", lambda r: r.latency.max_ms if r.latency else None, ".1f"),
    ("a read", lambda r: r.deliveries / r.pieces, ".1f"),
    ("server", lambda r: _percent(r.server_share), ".0f"),
    ("generator", lambda r: _percent(r.generator_share), ".0f"),
    ("others", lambda r: _percent(r.others_share), ".0f"),
)

AlarmFigure = Callable[[Alarm], float | None]

ALARM_COLUMNS: tuple[tuple[str, AlarmFigure], ...] = (
    ("accepted", lambda a: a.accepted_ms),
    ("ok", lambda a: a.ok_ms),
    ("written p50", lambda a: a.written.p50_ms),
    ("written p99", lambda a: a.written.p99_ms),
    ("last written", lambda a: a.written.max_ms),
    ("received p50", lambda a: a.received.p50_ms),
    ("received p99", lambda a: a.received.p99_ms),
    ("last received", lambda a: a.received.max_ms),
    ("server %", lambda a: _percent(a.around.server_share)),
    ("others %", lambda a: _percent(a.around.others_share)),
)

SATURATED_SHARE = 0.85
"""Of its core: a server that has more to spare is not being flooded."""
SAMPLES_LEAST = 2_000
"""With fewer, a share of one percent is uncertain by more than a quarter of itself."""


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def median(result: Fanout, loop: Loop | None, name: str) -> float | None:
    """The median of a column, over the rounds of one loop or of all."""
    figure = next(figure for column, figure, _ in COLUMNS if column == name)
    return median_of(result.rounds if loop is None else result.of(loop), figure)


def print_head(console: Console, settings: Mapping[str, str]) -> None:
    console.print(machine_line(), highlight=False)
    differ = "  ".join(f"{name}={value}" for name, value in settings.items()) or "unknown (not our server)"
    console.print(f"settings that differ from the defaults: {differ}\n", highlight=False, soft_wrap=True)


def print_fanout(console: Console, result: Fanout) -> None:
    console.print(
        f"{result.members:,} members in {result.size.rooms} room(s); {result.posters} of them post (posters join; "
        f"their own deliveries count, their latencies do not); frames of {result.rounds[0].frame_bytes:.0f} bytes; "
        f"all in after {result.ramp_seconds:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    if result.disk_sync_ms is not None:
        console.print(f"the journal's disk takes {result.disk_sync_ms:.2f} ms for a sync", highlight=False)
    console.print(rounds_table(result.rounds))
    for note in notes(result.rounds):
        console.print(note, highlight=False, soft_wrap=True)


def rounds_table(rounds: Sequence[Round]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("round", no_wrap=True)
    for name, _, _ in COLUMNS:
        table.add_column(name + (" %" if name in ("server", "generator", "others") else ""), justify="right")
    labels = list(dict.fromkeys(round_.label for round_ in rounds))
    for label in labels:
        same = [round_ for round_ in rounds if round_.label == label]
        for k, round_ in enumerate(same, 1):
            table.add_row(f"{label} #{k}", *(_cell(figure(round_), form) for _, figure, form in COLUMNS), style="dim")
        if len(same) > 1:
            table.add_row(f"{label}, median", *(_cell(median_of(same, figure), form) for _, figure, form in COLUMNS))
    return table


def notes(rounds: Sequence[Round]) -> Iterable[str]:
    bound = [round_.label for round_ in rounds if round_.generator_bound]
    if bound:
        yield f"The generator was the bottleneck in: {', '.join(bound)} (deliveries/s are its limit, not the server's)."
    crowded = [r for r in rounds if max(r.others_cpu_s or 0, r.others_generator_cpu_s or 0) > CROWDED * r.seconds]
    if crowded:
        yield f"Other programs used the same cores in {len(crowded)} of {len(rounds)} rounds: trust CPU, not clocks."
    missed = max(round_.schedule_missed_ms for round_ in rounds)
    if missed > 5:
        yield f"The generator missed its schedule by up to {missed:.0f} ms (latency counts from the schedule)."
    refused, behinds = sum(r.refused for r in rounds), sum(r.behinds for r in rounds)
    if refused:
        yield f"{refused:,} posts were refused and do not count."
    if behinds:
        yield f"{behinds:,} times a member fell behind and was fed from the log."


def print_idle(console: Console, result: Idle) -> None:
    console.print(
        f"{result.members:,} members, after {result.settle_seconds:g} s: "
        f"private dirty {result.private_dirty_each / 1000:.1f} KB each, "
        f"anonymous {result.anonymous_each / 1000:.1f} KB, resident {result.resident_each / 1000:.1f} KB; "
        "kernel TCP memory of both ends "
        f"{result.kernel_tcp_each / 1000:.1f} KB; joined in {result.join_seconds:.1f} s; "
        f"server CPU while settling {result.server_cpu_s:.2f} s",
        highlight=False,
        soft_wrap=True,
    )


def print_start(console: Console, result: Start) -> None:
    what = f"a journal of {result.journal_bytes / 1e6:.0f} MB" if result.journal_bytes else "an empty journal"
    rounds = "  ".join(f"{line:.2f}/{ready:.2f}" for line, ready in zip(result.line, result.ready, strict=True))
    median_s = f"median ready {result.ready_median:.2f} s ({statistics.median(result.cpu):.2f} s of CPU)"
    console.print(f"{what}: listening/ready after {rounds} s, {median_s}", highlight=False)


def print_memory(console: Console, result: Memory) -> None:
    console.print(rounds_table([result.flood]))
    p50, p99 = _cell(result.p50_ms, ".3g"), _cell(result.p99_ms, ".3g")
    console.print(
        f"{result.reads:,} reads answered, {result.observed:,} observed by the server: p50 ≤ {p50} ms, p99 ≤ {p99} ms "
        "(upper bounds of the histogram's buckets)",
        highlight=False,
    )


def print_alert(console: Console, result: AlertRun) -> None:
    console.print(
        f"an alert to {result.alarms[0].members:,} members, ms from the operator's order; "
        "written: by the server's ledger, received: read here",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("round", no_wrap=True)
    for name, _ in ALARM_COLUMNS:
        table.add_column(name, justify="right")
    for label in result.labels:
        same = result.of(label)
        for k, alarm in enumerate(same, 1):
            table.add_row(f"{label} #{k}", *(_cell(figure(alarm), ".0f") for _, figure in ALARM_COLUMNS), style="dim")
        for word, chosen in (("median", statistics.median), ("worst", max)):
            table.add_row(f"{label}, {word}", *(_of(chosen, same, figure) for _, figure in ALARM_COLUMNS))
    console.print(table)
    console.print("\nwhat went on around each alarm, from a second before the order until everybody had it")
    rounds = [alarm.around for label in result.labels for alarm in result.of(label)]
    console.print(rounds_table(rounds))
    for note in notes(rounds):
        console.print(note, highlight=False, soft_wrap=True)


def _of(chosen: Callable[[list[float]], float], alarms: Sequence[Alarm], figure: AlarmFigure) -> str:
    values = [value for value in map(figure, alarms) if value is not None]
    return _cell(chosen(values) if values else None, ".0f")


def alert_verdicts(result: AlertRun, flooded: bool) -> list[Verdict]:
    """On the median round, with the worst beside it. `flooded`: the alarms that are not quiet ones were raised in the
    flood that the promise speaks of."""
    quiet, through = result.labels
    verdicts = [_alert_verdict(ALERT, result, quiet)]
    if flooded:
        around = [alarm.around for alarm in result.of(through)]
        no_flood = _no_flood(around)
        verdicts.append(
            Verdict(ALERT_FLOOD, None, f"no flood: {no_flood}")
            if no_flood
            else _alert_verdict(ALERT_FLOOD, result, through, f"; {_flood(around)}")
        )
    return verdicts


def _alert_verdict(target: Target, result: AlertRun, label: str, more: str = "") -> Verdict:
    written, worst = result.last(label, lambda alarm: alarm.written)
    received, _ = result.last(label, lambda alarm: alarm.received)
    return Verdict(target, written, f"worst {worst:.0f} ms; last received {received:.0f} ms{more}")


def _flood(rounds: Sequence[Round]) -> str:
    shares = [100 * (round_.server_share or 0.0) for round_ in rounds]
    posts = sum(round_.posts for round_ in rounds)
    return f"server at {statistics.median(shares):.0f} % (least {min(shares):.0f} %), {posts:,} posts"


def _no_flood(rounds: Sequence[Round]) -> str:
    """Why an alert through this says nothing about an alert through a flood; empty when it does."""
    refused, posts = sum(round_.refused for round_ in rounds), sum(round_.posts for round_ in rounds)
    if refused:
        return f"{refused:,} posts were refused, {posts:,} were not"
    if statistics.median(round_.server_share or 0.0 for round_ in rounds) < SATURATED_SHARE:
        return f"{_flood(rounds)}; {100 * SATURATED_SHARE:.0f} % is the least"
    return ""


def print_watch(console: Console, result: WatchRun) -> None:
    console.print(
        f"{result.members:,} members in {result.rooms} rooms, {result.rate:g} posts/s in all; a dashboard is one "
        f"operator's connection that watches {', '.join(TOPICS)}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(rounds_table([window.round for window in result.windows]))
    pairs = "  ".join(f"{pair.percent:+.2f}" for pair in result.pairs)
    snapshots = sum(pair.snapshots for pair in result.pairs)
    console.print(
        f"a dashboard costs {pairs} % of a core, median {result.percent:.2f} %; in the operators' own code "
        f"{result.operators_percent:.2f} % (of {result.samples:,} samples); {snapshots:,} snapshots shown",
        highlight=False,
    )
    for note in notes([window.round for window in result.windows]):
        console.print(note, highlight=False, soft_wrap=True)


def watch_verdict(result: WatchRun) -> Verdict:
    """When the pairs differ by as much as half of what is promised, on a machine with other work, the samples of the
    operators' own code are judged, where there are enough."""
    costs = [pair.percent for pair in result.pairs]
    said = f"{min(costs):.2f} to {max(costs):.2f} in {len(costs)} pairs"
    if result.spread <= WATCH.wanted / 2:
        return Verdict(WATCH, result.percent, said)
    if result.samples < SAMPLES_LEAST:
        return Verdict(WATCH, None, f"too noisy: {said}, and only {result.samples:,} samples")
    note = f"in the operators' own code, of {result.samples:,} samples; all CPU is too noisy: {said}"
    return Verdict(WATCH, result.operators_percent, note)


def print_stats(console: Console, result: StatsRun) -> None:
    console.print(rounds_table([each.round for each in result.rounds]))
    samples = result.samples
    scrapes, snapshots = (sum(each) for each in zip(*((r.scrapes, r.snapshots) for r in result.rounds), strict=True))
    console.print(
        f"{samples.total:,} samples of the server's CPU; {scrapes} scrapes of /metrics (one each "
        f"{result.scrape_every_s:g} s), {snapshots} snapshots:",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("part")
    table.add_column("samples", justify="right")
    table.add_column("share", justify="right")
    table.add_column("of a core", justify="right")
    of_a_core = sum(r.round.server_share or 0.0 for r in result.rounds) / len(result.rounds)
    for name, count in (*samples.marked.items(), ("together", sum(samples.marked.values()))):
        share = 100 * count / max(1, samples.total)
        table.add_row(name, f"{count:,}", f"{share:.2f} %", f"{share * of_a_core:.2f} %")
    console.print(table)
    for note in notes([each.round for each in result.rounds]):
        console.print(note, highlight=False, soft_wrap=True)


def stats_verdict(result: StatsRun) -> Verdict:
    total = result.samples.total
    if total < SAMPLES_LEAST:
        return Verdict(STATS, None, f"only {total:,} samples; {SAMPLES_LEAST:,} are the least")
    return Verdict(STATS, result.samples.percent, f"of {total:,}")


def print_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("figure", "left"), ("target", "right"), ("measured", "right"), ("", "left"), ("", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    for verdict in verdicts:
        digits = ",.0f" if verdict.target.wanted >= 1000 else ",.3g"
        measured = "-" if verdict.measured is None else f"{verdict.measured:{digits}} {verdict.target.unit}"
        style = {"ok": "green", "missed": "red"}.get(verdict.word, "yellow")
        table.add_row(verdict.target.what, verdict.target.words, measured, f"[{style}]{verdict.word}[/]", verdict.note)
    console.print(table)


def _derived(value: object) -> dict[str, object]:
    """What a program would have to work out by itself."""
    if isinstance(value, Round):
        columns = {name: figure(value) for name, figure, _ in COLUMNS}
        return {"derived": columns, "generator_bound": value.generator_bound}
    if isinstance(value, WatchRun):
        return {"percent": value.percent, "spread": value.spread, "operators_percent": value.operators_percent}
    if isinstance(value, Pair | Window):
        return {"percent": value.percent, "operators_percent": value.operators_percent}
    if isinstance(value, Counts):
        return {"percent": value.percent}
    return {"met": value.met} if isinstance(value, Verdict) else {}


def write_json(
    path: Path, results: Mapping[str, object], verdicts: Sequence[Verdict], failures: Sequence[str] = ()
) -> None:
    document = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_line(),
        "results": as_data(results, _derived),
        "verdicts": as_data(verdicts, _derived),
        "failures": list(failures),
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
