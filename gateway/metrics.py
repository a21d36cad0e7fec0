"""The owners' integers in Prometheus form; docs/operations.md lists the names. Read at a scrape: nothing here is on the
way of a message. No label ever names a person or a room."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from attrs import define, field, frozen

from actors.tally import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "bandstand_"

Labelled = Mapping[str, float]
Table = Mapping[tuple[str, ...], float]


@frozen
class Figure:
    """`read`: by the values of its labels, in their order."""

    kind: Literal["counter", "gauge"]
    name: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[], Table]


@frozen
class Distribution:
    name: str
    help: str
    histogram: Histogram


@define
class Metrics:
    """What is exported, each with a name, a help line, and a way to read it."""

    figures: list[Figure | Distribution] = field(factory=list)

    def page(self) -> bytes:
        from gateway.exposition import page  # its library takes a part of every start, and is needed after it

        return page(self.figures)

    def counter(self, name: str, help: str, read: Callable[[], float]) -> None:
        self.figures.append(Figure("counter", PREFIX + name, help, (), lambda: {(): read()}))

    def gauge(self, name: str, help: str, read: Callable[[], float]) -> None:
        self.figures.append(Figure("gauge", PREFIX + name, help, (), lambda: {(): read()}))

    def counters(self, name: str, help: str, label: str, read: Callable[[], Labelled]) -> None:
        self.figures.append(Figure("counter", PREFIX + name, help, (label,), lambda: _by_one(read())))

    def gauges(self, name: str, help: str, label: str, read: Callable[[], Labelled]) -> None:
        self.figures.append(Figure("gauge", PREFIX + name, help, (label,), lambda: _by_one(read())))

    def counter_table(self, name: str, help: str, labels: Sequence[str], read: Callable[[], Table]) -> None:
        """By more than one label."""
        self.figures.append(Figure("counter", PREFIX + name, help, tuple(labels), read))

    def histogram(self, name: str, help: str, histogram: Histogram) -> None:
        self.figures.append(Distribution(PREFIX + name, help, histogram))


def _by_one(counts: Labelled) -> Table:
    return {(value,): count for value, count in counts.items()}
