"""Figures to the text that Prometheus reads (its text format 0.0.4). Imported when it is first asked for."""

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from gateway.metrics import Distribution, Figure

FAMILIES: Mapping[str, type[CounterMetricFamily | GaugeMetricFamily]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
}


class FigureCollector(Collector):
    def __init__(self, figures: Sequence[Figure | Distribution]) -> None:
        self._figures = figures

    def collect(self) -> Iterable[Metric]:
        return [_histogram(each) if isinstance(each, Distribution) else _family(each) for each in self._figures]


def page(figures: Sequence[Figure | Distribution]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FigureCollector(figures))
    return generate_latest(registry)


def _family(figure: Figure) -> Metric:
    family = FAMILIES[figure.kind](figure.name, figure.help, labels=figure.labels)
    for values, count in figure.read().items():
        family.add_metric(values, count)
    return family


def _histogram(distribution: Distribution) -> Metric:
    histogram, total = distribution.histogram, 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, histogram.bounds), "+Inf"), histogram.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(distribution.name, distribution.help, buckets=buckets, sum_value=histogram.sum)
