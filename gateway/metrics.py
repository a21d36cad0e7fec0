"""The owners' integers in Prometheus form; docs/operations.md lists the names. Read at a scrape: nothing here is on the
way of a message. No label ever names a person or a room."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from actors.tally import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "bandstand_"

Labelled = Mapping[str, float]
Table = Mapping[tuple[str, ...], float]


class Metrics(Collector):
    """A list of figures, each a name, a help line, and a way to read it."""

    def __init__(self) -> None:
        self._makers: list[Callable[[], Metric]] = []
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def collect(self) -> Iterable[Metric]:
        return [make() for make in self._makers]

    def page(self) -> bytes:
        return generate_latest(self._registry)

    def counter(self, name: str, help: str, read: Callable[[], float]) -> None:
        self._makers.append(lambda: CounterMetricFamily(PREFIX + name, help, value=read()))

    def gauge(self, name: str, help: str, read: Callable[[], float]) -> None:
        self._makers.append(lambda: GaugeMetricFamily(PREFIX + name, help, value=read()))

    def counter_table(self, name: str, help: str, labels: Sequence[str], read: Callable[[], Table]) -> None:
        """By more than one label."""

        def make() -> Metric:
            family = CounterMetricFamily(PREFIX + name, help, labels=labels)
            for values, count in read().items():
                family.add_metric(values, count)
            return family

        self._makers.append(make)

    def counters(self, name: str, help: str, label: str, read: Callable[[], Labelled]) -> None:
        def make() -> Metric:
            family = CounterMetricFamily(PREFIX + name, help, labels=[label])
            for value, count in read().items():
                family.add_metric([value], count)
            return family

        self._makers.append(make)

    def gauges(self, name: str, help: str, label: str, read: Callable[[], Labelled]) -> None:
        def make() -> Metric:
            family = GaugeMetricFamily(PREFIX + name, help, labels=[label])
            for value, count in read().items():
                family.add_metric([value], count)
            return family

        self._makers.append(make)

    def histogram(self, name: str, help: str, histogram: Histogram) -> None:
        def make() -> Metric:
            buckets: list[tuple[str, float]] = []
            total = 0
            for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
                total += count
                buckets.append((bound, total))
            return HistogramMetricFamily(PREFIX + name, help, buckets=buckets, sum_value=histogram.sum)

        self._makers.append(make)
