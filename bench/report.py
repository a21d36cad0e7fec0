"""What people read (tables) and what programs read (JSON) of the same results."""

import json
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.data import as_data
from bench.measure import Round, median_of
from bench.proc import machine_line
from bench.scenarios.alert import AlertRun
from bench.scenarios.fanout import Fanout, Loop
from bench.scenarios.idle import Idle
from bench.scenarios.memory import Memory
from bench.scenarios.start import Start
from bench.targets import Verdict

Figure = Callable[[Round], float | None]

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
    ("others", lambda r: None if r.others_cpu_s is None else _percent(r.others_cpu_s / r.seconds), ".0f"),
)


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
    crowded = [r for r in rounds if max(r.others_cpu_s or 0, r.others_generator_cpu_s or 0) > 0.15 * r.seconds]
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
    for alarm in result.alarms:
        took = alarm.received
        console.print(
            f"alert, {alarm.label}: {took.samples:,} members had it after p50 {took.p50_ms:.0f} ms, "
            f"p99 {took.p99_ms:.0f} ms, the last {took.max_ms:.0f} ms; the operator's ok after {alarm.ok_ms:.0f} ms; "
            f"ledger: {alarm.written:,} of {alarm.targeted:,} written",
            highlight=False,
        )


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
    return {"met": value.met} if isinstance(value, Verdict) else {}


def write_json(path: Path, results: Mapping[str, object], verdicts: Sequence[Verdict]) -> None:
    document = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_line(),
        "results": as_data(results, _derived),
        "verdicts": as_data(verdicts, _derived),
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
