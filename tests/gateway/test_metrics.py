"""/metrics and its page: what is exported is explained, what is explained is exported, and every line can be read."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import frozen
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from actors.tally import Histogram
from gateway import app as module
from gateway.app import App
from gateway.metrics import CONTENT_TYPE, Labelled, Metrics
from gateway.settings import RoomPolicySettings, Settings, load_settings
from gateway.sources import options_of

OPERATIONS = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(bandstand_\w+)` \| (\w+) \| (?:`(\w+(?:`, `\w+)*)` )?\| \S", re.MULTILINE)
NAMED = re.compile(r"`(?:\w+\()*(bandstand_[a-z_]+)")
SETTING = re.compile(r"`((?:[a-z]+\.)?[a-z_]+)`")
SERIES = ("_bucket", "_count", "_sum")


@frozen
class Row:
    name: str
    type: str
    label: str


class Recorder(Metrics):
    """Also remembers which label a figure has: without a sample yet, the page does not show it."""

    labels: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.labels = {}

    def counters(self, name: str, help: str, label: str, read: object) -> None:
        self.labels[f"bandstand_{name}_total"] = label
        super().counters(name, help, label, read)  # type: ignore[arg-type]

    def counter_table(self, name: str, help: str, labels: Sequence[str], read: object) -> None:
        self.labels[f"bandstand_{name}_total"] = "`, `".join(labels)
        super().counter_table(name, help, labels, read)  # type: ignore[arg-type]

    def gauges(self, name: str, help: str, label: str, read: object) -> None:
        self.labels[f"bandstand_{name}"] = label
        super().gauges(name, help, label, read)  # type: ignore[arg-type]


@pytest.fixture
async def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Row], str]:
    """The figures of a server, and the page as it stood."""
    monkeypatch.setattr(module, "Metrics", Recorder)
    settings: Settings = load_settings(None, {}, {"port": 0, "journal.path": tmp_path / "journal.db"}).settings
    app = App(settings)
    async with app.serve():
        recorder = app._metrics
        assert isinstance(recorder, Recorder)
        page = recorder.page().decode()
    types = re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE)
    return [Row(name, kind, recorder.labels.get(name, "")) for name, kind in types], page


def documented() -> list[Row]:
    return [Row(*found) for found in ROW.findall(OPERATIONS)]


async def test_every_figure_is_explained_and_nothing_else_is(exported: tuple[list[Row], str]) -> None:
    rows, _ = exported
    assert len(rows) >= 30
    assert sorted(documented(), key=str) == sorted(rows, key=str)
    assert max(Counter(row.name for row in documented()).values()) == 1


async def test_alarms_speak_of_figures_that_there_are(exported: tuple[list[Row], str]) -> None:
    names = {row.name for row in exported[0]}
    histograms = {row.name + end for row in exported[0] if row.type == "histogram" for end in SERIES}
    named = set(NAMED.findall(OPERATIONS))
    assert len(named) >= len(names)
    assert named <= names | histograms


async def test_every_line_of_the_page_reads_and_has_help(exported: tuple[list[Row], str]) -> None:
    rows, page = exported
    families = list(text_string_to_metric_families(page))
    assert len(families) == len(rows)
    for family in families:
        assert family.documentation.endswith("."), family.name
        assert {label for sample in family.samples for label in sample.labels} <= {
            "le",
            "mode",
            "reason",
            "result",
            "role",
            "state",
            "version",
        }
    values = {sample.name: sample.value for family in families for sample in family.samples if not sample.labels}
    assert values["bandstand_rooms"] == 2
    assert values["bandstand_process_cpu_seconds_total"] > 0
    assert values["bandstand_process_max_resident_bytes"] > 2**20


def test_the_settings_that_are_named_exist() -> None:
    options = options_of(Settings)
    tables = {path.partition(".")[0] for path in options if "." in path}
    rules = {f"{name}" for name in options_of(RoomPolicySettings)}
    (by_purpose,) = re.findall(r"## Settings by purpose\n(.*?)\n## ", OPERATIONS, re.DOTALL)
    for name in SETTING.findall("\n".join(line for line in by_purpose.splitlines() if line.startswith("|"))):
        assert name in options or name in rules, name
    for name in SETTING.findall(OPERATIONS):
        if name.partition(".")[0] in tables and "." in name and not name.endswith((".db", ".key", ".heads")):
            assert name in options, name


# -- the forms ---------------------------------------------------------------------------------------------------------


def families(metrics: Metrics) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(metrics.page().decode())}


def test_counters_and_gauges_are_read_at_the_scrape() -> None:
    metrics, count = Metrics(), Counter[str]()
    metrics.counter("a", "A.", lambda: count["a"])
    metrics.gauge("b", "B.", lambda: -count["a"])
    for wanted in (0.0, 3.0):
        count["a"] = int(wanted)
        found = families(metrics)
        assert [found[name].samples[0].value for name in ("bandstand_a", "bandstand_b")] == [wanted, -wanted]
    assert found["bandstand_a"].samples[0].name == "bandstand_a_total"
    assert (found["bandstand_a"].type, found["bandstand_b"].type) == ("counter", "gauge")


def test_a_label_has_a_sample_for_each_value() -> None:
    metrics = Metrics()
    now: Labelled = {"x": 1.0, 'y"\n': 2.0}
    metrics.counters("a", "A.", "why", lambda: now)
    metrics.gauges("b", "B.", "why", lambda: now)
    found = families(metrics)
    assert [found[name].type for name in ("bandstand_a", "bandstand_b")] == ["counter", "gauge"]
    for family in found.values():
        assert {sample.labels["why"]: sample.value for sample in family.samples} == now


def test_buckets_add_up() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds)
    metrics = Metrics()
    metrics.histogram("wait_seconds", "Waits.", histogram)
    family = families(metrics)["bandstand_wait_seconds"]
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert buckets == {"0.1": 2.0, "1.0": 3.0, "+Inf": 4.0}
    rest = {sample.name: sample.value for sample in family.samples if not sample.labels}
    assert rest == {"bandstand_wait_seconds_count": 4.0, "bandstand_wait_seconds_sum": pytest.approx(7.65)}


def test_the_page_says_what_it_is() -> None:
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")
    assert Metrics().page() == b""
