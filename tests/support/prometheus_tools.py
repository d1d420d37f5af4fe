"""Prometheus' own tools, and the names that rules and dashboards may use."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric

from server.operation.backup_metrics import expose_last_backup
from server.operation.event_loop import GarbageCollector, LoopWatch
from server.operation.metrics import Metrics
from server.operation.process_group import GroupMetrics
from tests.engines.mtail import SHIPPED
from tests.support.documents import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "picshare.rules.yml"
SLO_RULES = PROMETHEUS / "picshare-slo.rules.yml"
_NAME = re.compile(r"\b(?:picshare_|process_|picshare:)[a-z0-9_:]+\b")
_NO_METRICS = {"picshare_caches", "process_"}  # names of groups


def run_tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `promtool` or `amtool`, and return its result."""
    binary = shutil.which(name)
    assert binary is not None, f"{name} is missing: run `make test`, which installs it"
    return subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)


def names_in(text: str) -> set[str]:
    """Return the names of PicShare's metrics, and of recording rules, in queries."""
    return set(_NAME.findall(text)) - _NO_METRICS


def every_metric() -> CollectorRegistry:
    """Return a registry with the metrics of all processes."""
    metrics = Metrics("1")
    LoopWatch(metrics.registry)
    GarbageCollector(metrics.registry)
    expose_last_backup(metrics.registry, ROOT)
    GroupMetrics(metrics.registry)
    return metrics.registry


def known_names() -> set[str]:
    """Return the names that queries may use: of processes, of the program for mtail, and of recording rules."""
    known = {name for family in every_metric().collect() for name in samples_of(family)}
    known |= set(re.findall(r"^counter (\w+)", (SHIPPED / "picshare-cache.mtail").read_text(), re.MULTILINE))
    return known | set(recorded_names([RULES, SLO_RULES]))


def groups() -> Iterator[str]:
    """Yield each group of the shipped rules, as the text of a file of its own."""
    for file in (RULES, SLO_RULES):
        _, *found = re.split(r"^(?=  - name: )", file.read_text(), flags=re.MULTILINE)
        yield from (f"groups:\n{group}" for group in found)


def recorded_names(files: Iterable[Path]) -> list[str]:
    """Return the names of the recording rules of files."""
    return [name for file in files for name in re.findall(r"- record: (\S+)", file.read_text())]


def samples_of(family: Metric) -> set[str]:
    """Return the names under which a metric is queried."""
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
    return {family.name + suffix for suffix in suffixes}
