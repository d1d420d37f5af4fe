"""Figures of a benchmark: medians with their spread, printed as a table and written as JSON."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
RATIO, COUNT = "×", ""  # units that do not depend on the speed of the machine
_UNITS_OF_GOALS = (RATIO, COUNT)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured quantity: the median of several runs, their least and greatest, and the goal, if there is one.

    `goal` is a text such as "≤ 1.5" and `reached` says whether the median meets it; both are None for a figure that is
    only reported. `limit` names the physical or peer limit behind the goal.
    """

    group: str
    name: str
    unit: str
    median: float
    least: float
    greatest: float
    runs: int
    goal: str | None = None
    reached: bool | None = None
    limit: str | None = None


def figure(
    group: str,
    name: str,
    unit: str,
    values: Sequence[float],
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    limit: str | None = None,
) -> Figure:
    """Return the figure of several runs, compared with a bound if there is one.

    Raises ValueError for a goal in a unit of time, size or rate, which would judge the machine and not the code, or
    without the limit that it is derived from.
    """
    median = statistics.median(values)
    goal, reached = None, None
    if at_most is not None:
        goal, reached = f"≤ {at_most:g}", median <= at_most
    if at_least is not None:
        goal, reached = f"≥ {at_least:g}", median >= at_least
    if goal is not None and (unit not in _UNITS_OF_GOALS or limit is None):
        raise ValueError(
            f"the goal of {name!r} must be a ratio or a count, and state the limit that it is derived from"
        )
    return Figure(
        group=group,
        name=name,
        unit=unit,
        median=median,
        least=min(values),
        greatest=max(values),
        runs=len(values),
        goal=goal,
        reached=reached,
        limit=limit,
    )


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return the ratio of each run to the yardstick that was measured in the same run."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value at or below which `share` (0–1) of the values are, by the nearest-rank method."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def show(figures: Sequence[Figure], console: Console | None = None) -> None:
    """Print the table, and below it the limit behind each goal."""
    table = Table(title="PicShare benchmarks: median (least – greatest) of several runs in one go")
    for heading, justify in (
        ("group", "left"),
        ("figure", "left"),
        ("median", "right"),
        ("spread", "right"),
        ("goal", "right"),
        ("", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for item in figures:
        verdict = {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}[item.reached]
        spread = f"{item.least:,.3g} – {item.greatest:,.3g}"
        table.add_row(item.group, item.name, f"{item.median:,.4g} {item.unit}", spread, item.goal or "", verdict)
    output = console or Console(width=140)
    output.print(table)
    for item in figures:
        if item.goal is not None:
            output.print(f"{item.name} {item.goal}: {item.limit}", style="dim", highlight=False)


def write(figures: Sequence[Figure], path: Path | None = None) -> Path:
    """Write the figures as JSON together with the machine they were measured on; return the file."""
    target = path or RESULTS / "latest.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(), "processor": _processor()}
    content = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "figures": [asdict(item) for item in figures],
    }
    target.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return target


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{len(names)} × {names[0]}" if names else platform.processor()
