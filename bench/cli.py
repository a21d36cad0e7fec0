"""`bandstand bench`, or `python -m bench`: one subcommand a scenario. Exit 0 ok, 1 void or failed, 2 usage, 5 an
assertion missed."""

import shlex
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import signature
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

import click
from attrs import define, field, frozen
from rich.console import Console

from bench import report
from bench.crew import Size
from bench.everything import ALERTED, IN_FLIGHT, WATCHED_CLIENTS, WATCHED_RATE, WATCHED_ROOMS, Everything
from bench.ground import Ground
from bench.ledger import RunVoid
from bench.proc import prefer
from bench.scenarios.alert import alert
from bench.scenarios.fanout import Loop, crowd, fanout, lone
from bench.scenarios.idle import idle
from bench.scenarios.memory import memory
from bench.scenarios.start import start
from bench.scenarios.stats import SCRAPE_EVERY_S, stats
from bench.scenarios.watch import watch
from bench.server import OWN_COMMAND, NotStarted, Plan, Unsuited
from bench.targets import (
    CROWD,
    IDLE,
    LONE,
    MEMORY,
    ONE_AT_A_TIME,
    SATURATED,
    START_EMPTY,
    START_FULL,
    Target,
    Verdict,
)
from bench.wire import BadWire

MISSED = 5
WIDTH = 150


@frozen
class Common:
    ground: Ground
    json: Path | None
    must: bool
    frame_bytes: int


@define
class Outcome:
    """What a subcommand has found; `finish` writes it down and ends the process."""

    common: Common
    results: dict[str, object] = field(factory=dict)
    verdicts: list[Verdict] = field(factory=list)
    failures: list[str] = field(factory=list)
    """A line for each scenario that has no figures because it was void or broke."""

    def keep(self) -> None:
        if self.common.json is not None:
            report.write_json(self.common.json, self.results, self.verdicts, self.failures)

    def finish(self) -> None:
        if self.verdicts:
            report.print_verdicts(self.common.ground.console, self.verdicts)
        self.keep()
        if self.failures:
            names = ", ".join(failure.partition(":")[0] for failure in self.failures)
            raise click.ClickException(f"void or broken: {names}; see above")
        if self.common.must and not all(verdict.met for verdict in self.verdicts):
            sys.exit(MISSED)


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    extra = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--set")
        extra["BANDSTAND_" + name.upper().replace(".", "_")] = value
    return extra


COMMON = (
    click.option("--url", help="A server that runs already (ws://host:port/ws). Default: one of our own."),
    click.option("--pid", type=int, help="Its process, for CPU and memory; with --url."),
    click.option("--server", "command", help="Command that starts the server. Default: bandstand serve."),
    click.option("--durability", type=click.Choice(["power", "process", "memory"]), default="power"),
    click.option("--set", "extra", multiple=True, metavar="NAME=VALUE", help="A setting, such as wire.kind=portable."),
    click.option("--directory", type=click.Path(exists=True, path_type=Path), help="Where the journal is put."),
    click.option("--size", "frame_bytes", default=200, help="Bytes of a delivered frame, as far as possible."),
    click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write everything to this file."),
    click.option("--nice", default=0, help="Priority of server and generator, for a machine that others use too."),
    click.option("--assert", "must", is_flag=True, help="Exit 5 when a target is missed."),
)


def _common(
    url: str | None,
    pid: int | None,
    command: str | None,
    durability: str,
    extra: tuple[str, ...],
    directory: Path | None,
    frame_bytes: int,
    json_path: Path | None,
    nice: int,
    must: bool,
) -> Common:
    argv = shlex.split(command) if command else OWN_COMMAND
    plan = Plan(durability, None, directory, _settings(extra), argv)
    if nice:
        prefer(nice)
    return Common(Ground(_console(), plan, url, pid), json_path, must, frame_bytes)


def _console() -> Console:
    """Wide enough for the table of rounds: elsewhere than on a terminal there is no width to keep to."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, WIDTH))


OF_COMMON = tuple(signature(_common).parameters)


def scenario(body: Callable[..., Outcome]) -> None:
    """A subcommand with the common options; its body gets a Common first, then its own options by name."""

    @wraps(body)
    def run(**given: Any) -> None:
        common = _common(**{name: given.pop(name) for name in OF_COMMON})
        try:
            body(common, **given).finish()
        except (RunVoid, BadWire) as error:
            raise click.ClickException(f"the run is void: {error}") from error
        except (NotStarted, Unsuited, OSError, SubprocessError, ValueError) as error:
            raise click.ClickException(str(error)) from error

    for option in reversed(COMMON):
        run = option(run)
    main.command(body.__name__.rstrip("_"))(run)


@click.group()
def main() -> None:
    """Load from another process over real sockets, every delivery checked."""


@scenario
@click.option("--clients", default=1000, help="Listeners, over all rooms.")
@click.option("--rooms", default=1)
@click.option("--posters", type=int, help="Default: as many as the posts in flight, or as the server's limits ask for.")
@click.option("--in-flight", multiple=True, type=int, help="Closed loop; repeatable, interleaved. Default: 64.")
@click.option("--rate", multiple=True, type=float, help="Open loop, posts a second; repeatable, interleaved.")
@click.option("--seconds", default=10.0, help="For each round.")
@click.option("--rounds", default=3)
def run(
    common: Common,
    clients: int,
    rooms: int,
    posters: int | None,
    in_flight: tuple[int, ...],
    rate: tuple[float, ...],
    seconds: float,
    rounds: int,
) -> Outcome:
    """Rooms in which somebody speaks: saturated, one at a time, or by schedule."""
    loops = [Loop(in_flight=n) for n in in_flight] + [Loop(rate=r) for r in rate] or [Loop(in_flight=64)]
    size = Size(clients, rooms, posters, max(in_flight, default=64), max(rate, default=None), common.frame_bytes)
    result = fanout(common.ground, size, loops, seconds, rounds)
    _print_fanout(common, result)
    verdicts = []
    if (clients, rooms) == (1000, 1):
        for loop, target, name in ((Loop(64), SATURATED, "per core-s"), (Loop(1), ONE_AT_A_TIME, "µs/delivery")):
            if loop in loops:
                verdicts.append(Verdict(target, report.median(result, loop, name)))
    return Outcome(common, {"run": result}, verdicts)


@scenario
@click.option("--posts", default=300)
@click.option("--rounds", default=3)
def lone_(common: Common, posts: int, rounds: int) -> Outcome:
    """A lone post reaching a lone other member."""
    result = lone(common.ground, posts, common.frame_bytes, rounds)
    _print_fanout(common, result)
    return Outcome(common, {"lone": result}, [Verdict(LONE, report.median(result, None, "p50 ms"))])


@scenario
@click.option("--members", default=2000)
@click.option("--settle", default=20.0, help="Seconds before memory is read.")
def idle_(common: Common, members: int, settle: float) -> Outcome:
    """Memory for each joined member who says nothing."""
    result = idle(common.ground, members, settle, common.frame_bytes)
    report.print_head(common.ground.console, result.settings)
    report.print_idle(common.ground.console, result)
    return Outcome(common, {"idle": result}, [Verdict(IDLE, result.private_dirty_each / 1000)])


@scenario
@click.option("--journal", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read a copy of it.")
@click.option("--rounds", default=5)
def start_(common: Common, journal: Path | None, rounds: int) -> Outcome:
    """Time from exec to ready."""
    result = start(common.ground, journal, rounds)
    report.print_head(common.ground.console, result.settings)
    report.print_start(common.ground.console, result)
    return Outcome(common, {"start": result}, [Verdict(_start_target(journal), result.ready_median)])


def _start_target(journal: Path | None) -> Target:
    return START_FULL if journal else START_EMPTY


@scenario
@click.option("--clients", default=1000)
@click.option("--in-flight", default=64)
@click.option("--seconds", default=10.0)
def memory_(common: Common, clients: int, in_flight: int, seconds: float) -> Outcome:
    """A room's last hundred messages, read while it is flooded: the server's own histogram."""
    size = Size(clients, in_flight=in_flight, frame_bytes=common.frame_bytes)
    result = memory(common.ground, size, in_flight, seconds)
    report.print_head(common.ground.console, result.settings)
    report.print_memory(common.ground.console, result)
    return Outcome(common, {"memory": result}, [Verdict(MEMORY, result.p99_ms)])


@scenario
@click.option("--clients", default=ALERTED)
@click.option("--in-flight", type=click.IntRange(min=1), default=IN_FLIGHT, help="Posts in flight while it is flooded.")
@click.option("--rounds", default=5, help="Each a quiet alarm and one through the flood.")
def alert_(common: Common, clients: int, in_flight: int, rounds: int) -> Outcome:
    """An alert to everybody, in a quiet house and through a flood."""
    result = alert(common.ground, Size(clients, in_flight=in_flight, frame_bytes=common.frame_bytes), rounds)
    report.print_head(common.ground.console, result.settings)
    report.print_alert(common.ground.console, result)
    verdicts = report.alert_verdicts(result, flooded=in_flight >= IN_FLIGHT) if clients == ALERTED else []
    return Outcome(common, {"alert": result}, verdicts)


@scenario
@click.option("--clients", default=WATCHED_CLIENTS, help="Listeners, over all rooms; each room has a poster besides.")
@click.option("--rooms", default=WATCHED_ROOMS)
@click.option("--rate", default=WATCHED_RATE, help="Posts a second, over all rooms.")
@click.option("--seconds", default=10.0, help="For each window.")
@click.option("--rounds", default=5, help="Each a window with a dashboard and one without.")
def watch_(common: Common, clients: int, rooms: int, rate: float, seconds: float, rounds: int) -> Outcome:
    """What one watching dashboard costs the server."""
    size = Size(clients, rooms, rooms, rate=rate, frame_bytes=common.frame_bytes)
    result = watch(common.ground, size, rate, seconds, rounds)
    report.print_head(common.ground.console, result.settings)
    report.print_watch(common.ground.console, result)
    full = (clients, rooms) == (WATCHED_CLIENTS, WATCHED_ROOMS)
    return Outcome(common, {"watch": result}, [report.watch_verdict(result)] if full else [])


@scenario
@click.option("--clients", default=1000)
@click.option("--in-flight", default=64)
@click.option("--seconds", default=10.0, help="For each round.")
@click.option("--rounds", default=3)
@click.option("--scrape-every", default=SCRAPE_EVERY_S, help="Seconds between two scrapes of /metrics.")
def stats_(common: Common, clients: int, in_flight: int, seconds: float, rounds: int, scrape_every: float) -> Outcome:
    """The share of statistics in a profile of the server under flood."""
    size = Size(clients, in_flight=in_flight, frame_bytes=common.frame_bytes)
    result = stats(common.ground, size, seconds, rounds, scrape_every)
    report.print_head(common.ground.console, result.settings)
    report.print_stats(common.ground.console, result)
    return Outcome(common, {"stats": result}, [report.stats_verdict(result)] if clients == 1000 else [])


@scenario
@click.option("--clients", default=5000)
@click.option("--rate", default=5.0)
@click.option("--seconds", default=20.0)
def crowd_(common: Common, clients: int, rate: float, seconds: float) -> Outcome:
    """Many people in one room, few words, nobody may miss one."""
    result = crowd(common.ground, clients, rate, seconds, common.frame_bytes)
    _print_fanout(common, result)
    return Outcome(common, {"crowd": result}, [Verdict(CROWD, 0)])


@scenario
@click.option("--journal", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="One of 1,000,000.")
@click.option("--seconds", default=10.0)
@click.option("--rounds", default=3)
@click.option("--members", default=2000, help="For idle memory.")
@click.option("--settle", default=20.0)
def all_(common: Common, journal: Path | None, seconds: float, rounds: int, members: int, settle: float) -> Outcome:
    """Every figure that has a target, in one table."""
    it = Everything(common.ground, common.frame_bytes, seconds, rounds)
    outcome = Outcome(common, it.results, it.verdicts, it.failures)
    it.run(journal, members, settle, outcome.keep)
    return outcome


def _print_fanout(common: Common, result: Any) -> None:
    report.print_head(common.ground.console, result.settings)
    report.print_fanout(common.ground.console, result)
