"""A plan as tables: rows of text, and the Markdown of `docs/capacity.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from server.planning.load import Load
from server.planning.plan import Plan

_INFINITE = float("inf")


@dataclass(frozen=True, kw_only=True)
class TableText:
    """A table: its title, its headings and its rows."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables_of(plan: Plan) -> list[TableText]:
    """Return the tables of a plan."""
    return [_load(plan.load), _work(plan), _sizes(plan), _amounts(plan), _configuration(plan)]


def sentences_of(plan: Plan) -> list[str]:
    """Return what the tables amount to."""
    greatest = plan.greatest
    result = [
        f"{plan.milliseconds:.1f} core-milliseconds for each daily user and day: {plan.photos_milliseconds:.1f} for "
        f"photos and reactions, {plan.milliseconds - plan.photos_milliseconds:.1f} for sessions and live connections.",
        f"{_short(plan.busy)} cores are busy at the peak, {plan.cores:,} are to be bought.",
        f"The biggest part is {greatest.name}: {greatest.milliseconds:.1f} ms, "
        f"{greatest.milliseconds / plan.milliseconds:.0%} of all.",
        f"The first bottleneck is {plan.bottleneck.component}, whose machines are busy to {plan.bottleneck.use:.0%}.",
    ]
    if plan.greatest_fanout:
        result.append(
            f"A photo of an account at the 99th percentile of followers ({_short(plan.load.followers_p99)}) is in all "
            f"feeds after {plan.greatest_fanout:.2f} s of work, which several processes share."
        )
    if plan.price:
        result.append(f"{plan.price:,.0f} a month for cores, object storage and bytes that leave.")
    result.append(f"Unit costs: measured on {plan.costs.measured_at[:10]}, {plan.costs.machine}.")
    return result


def markdown_of(plan: Plan) -> str:
    """Return the plan as Markdown."""
    parts = ["\n".join(sentences_of(plan))]
    for table in tables_of(plan):
        lines = [f"**{table.title}**", "", _row(table.headings), _row(["---"] * len(table.headings))]
        parts.append("\n".join([*lines, *(_row(row) for row in table.rows)]))
    return "\n\n".join(parts) + "\n"


def _load(load: Load) -> TableText:
    rows = [
        (item.name, _short(getattr(load, item.name)), str(item.metadata["help"]))
        for item in fields(Load)
        if item.name not in {"core_month", "disk_gigabyte_month", "egress_gigabyte"} or getattr(load, item.name)
    ]
    return TableText(title="Load", headings=("value", "", "meaning; rates are for each user and day"), rows=rows)


def _work(plan: Plan) -> TableText:
    rows = [
        (
            work.name,
            work.formula,
            _short(work.each),
            _short(work.peak),
            _short(sum(work.cost.values())),
            f"{work.milliseconds:.2f}",
            _short(sum(work.cores.values())),
            work.source,
        )
        for work in sorted(plan.works, key=lambda work: -work.milliseconds)
    ]
    headings = (
        "work",
        "formula",
        "a user and day",
        "a second, peak",
        "µs each",
        "ms a user and day",
        "cores",
        "source",
    )
    return TableText(title="Work", headings=headings, rows=rows)


def _sizes(plan: Plan) -> TableText:
    rows = [
        (
            size.component,
            _short(size.busy),
            _short(size.storm),
            f"{size.cores:,}",
            f"{size.processes:,}",
            _short(size.gigabytes) if size.gigabytes else "",
            f"{size.machines:,}",
            f"{size.use:.0%}",
            "" if size.less == _INFINITE else f"{size.less:.0%}",
            size.verdict,
            size.limit,
        )
        for size in plan.sizes
    ]
    headings = (
        *("role or engine", "busy at the peak", "in a storm", "cores", "processes", "GB", "machines", "use"),
        *("use with one less", "one machine less", "decided by"),
    )
    return TableText(title="Roles and engines", headings=headings, rows=rows)


def _amounts(plan: Plan) -> TableText:
    rows = [(item.name, f"{_short(item.value)} {item.unit}", item.formula) for item in plan.footprint.amounts]
    return TableText(title="Memory, disks and bandwidth", headings=("what", "amount", "formula"), rows=rows)


def _configuration(plan: Plan) -> TableText:
    return TableText(title="Configuration", headings=("setting", "value"), rows=list(plan.configuration.items()))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _short(value: float) -> str:
    """Return a number with at most three significant digits, or all of a large whole number."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
