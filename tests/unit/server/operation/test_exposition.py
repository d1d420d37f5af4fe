"""Metrics of several processes as one text in the format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from server.operation.exposition import merged


def text_of(value: float) -> bytes:
    """Return the metrics of a process."""
    registry = CollectorRegistry()
    Counter("requests", "Requests.", ("route",), registry=registry).labels('/a/{id} "x"').inc(value)
    Gauge("lag", "Lag.", registry=registry).set(value)
    Histogram("seconds", "Seconds.", buckets=(1, 2), registry=registry).observe(value)
    return generate_latest(registry)


def test_each_sample_has_its_process_and_each_metric_is_one_group() -> None:
    """The merged text has every sample once, labelled, and a parser reads each metric as one family."""
    own = CollectorRegistry()
    Gauge("processes", "Processes.", registry=own).set(2)
    text = merged({0: text_of(1), 1: text_of(2)}, generate_latest(own)).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert len([line for line in text.splitlines() if line.startswith("# TYPE lag ")]) == 1
    assert {sample.labels["process"]: sample.value for sample in families["lag"].samples} == {"0": 1.0, "1": 2.0}
    totals = [sample for sample in families["requests"].samples if sample.name == "requests_total"]
    assert [(sample.labels, sample.value) for sample in totals] == [
        ({"process": "0", "route": '/a/{id} "x"'}, 1.0),
        ({"process": "1", "route": '/a/{id} "x"'}, 2.0),
    ]
    # Three buckets (1, 2, +Inf), the count and the sum of each process.
    assert len([item for item in families["seconds"].samples if not item.name.endswith("_created")]) == 10
    assert [(sample.labels, sample.value) for sample in families["processes"].samples] == [({}, 2.0)]


def test_a_text_that_is_cut_off_loses_its_last_line_alone() -> None:
    """A process that ends while it answers does not spoil the scrape."""
    text = merged({0: b"# HELP lag Lag.\n# TYPE lag gauge\nlag 1.0\n# HELP seco", 1: b""})
    assert text == b'# HELP lag Lag.\n# TYPE lag gauge\nlag{process="0"} 1.0\n'
