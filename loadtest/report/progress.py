"""Progress of a load test: a live display on a terminal, else a line every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadtest import names
from loadtest.measures.record import Phase, Record
from loadtest.plan import Plan

_REFRESH = 0.25  # seconds, on a terminal
_LINE_EVERY = 2.0  # seconds, without a terminal


class Progress:
    """Displays a record while the test runs."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextlib.asynccontextmanager
    async def of(self, plan: Plan, record: Record) -> AsyncIterator[None]:
        """Display a record until the end of the block."""
        show = self._display(plan, record) if self._console.is_terminal else self._lines(plan, record)
        task = asyncio.create_task(show)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _display(self, plan: Plan, record: Record) -> None:
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(_panel(plan, record), refresh=True)
                await asyncio.sleep(_REFRESH)

    async def _lines(self, plan: Plan, record: Record) -> None:
        phase, due = None, 0.0
        while True:
            await asyncio.sleep(_REFRESH)
            if record.phase is not phase or time.monotonic() >= due:
                phase, due = record.phase, time.monotonic() + _LINE_EVERY
                self._console.print(Text(line_of(plan, record)), soft_wrap=True)


def line_of(plan: Plan, record: Record) -> str:
    """Return the progress in one line."""
    _, _, figures = _step(plan, record)
    parts = [f"{record.phase.value}: {figures}"]
    if record.phase is Phase.ACT:
        parts += [f"{name} {value}" for name, value in _figures(plan, record)]
    return ", ".join(filter(None, [*parts, record.notice]))


def _panel(plan: Plan, record: Record) -> Group:
    done, total, figures = _step(plan, record)
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(record.phase.value, style="bold"),
        ProgressBar(total=max(total, 1.0), completed=min(done, total), width=40),
        Text(figures, style="dim"),
    )
    body = Table.grid(padding=(0, 3))
    for name, value in _figures(plan, record):
        style = "bold red" if name in {"lost", "duplicated", "out of order"} and value != "0" else ""
        body.add_row(Text(name, style="dim"), Text(value, style=style, justify="right"))
    rows = [head, body]
    return Group(*rows, Text(record.notice, style="yellow")) if record.notice else Group(*rows)


def _step(plan: Plan, record: Record) -> tuple[float, float, str]:
    """Return the completed part of the phase, the whole, and both as text."""
    passed = time.monotonic() - record.phase_since
    match record.phase:
        case Phase.PREPARE:
            done, steps = record.prepared
            return done, steps, f"{done:,} of {steps:,} steps ({plan.users:,} users)"
        case Phase.CONNECT:
            return record.connected, plan.sockets, f"{record.connected:,} of {plan.sockets:,} sockets"
        case Phase.ACT:
            return passed, plan.seconds, f"{min(passed, plan.seconds):.0f} of {plan.seconds:.0f} s"
        case _:
            return passed, passed, "closing the sockets" if plan.tokens or plan.keep else "deleting the test accounts"


def _figures(plan: Plan, record: Record) -> list[tuple[str, str]]:
    counts, recent = record.measures.counts, record.recent()
    figures = [
        ("sockets", f"{record.connected:,} of {plan.sockets:,}"),
        ("publications", f"{counts[names.PUBLICATIONS]:,}"),
    ]
    for kind in names.KINDS:
        if counts[f"{names.ACTS} {kind}"]:
            latency = recent.duration(kind)
            figures.append(
                (
                    f"{kind}s",
                    f"{counts[f'{names.DELIVERED} {kind}']:,} delivered, p50 {latency.percentile(0.5) / 1000:.1f} ms, "
                    f"p99 {latency.percentile(0.99) / 1000:.1f} ms",
                )
            )
    lost = sum(counts[f"{names.LOST} {kind}"] for kind in names.KINDS)
    twice = counts[names.REPEATED] + sum(counts[f"{names.DUPLICATE} {kind}"] for kind in names.KINDS)
    figures += [("lost", f"{lost:,}"), ("duplicated", f"{twice:,}"), ("out of order", f"{counts[names.DISORDER]:,}")]
    busy = max((status.busiest for status in record.statuses.values()), default=0.0)
    figures.append(("tester", f"busiest second {busy:.0%} of a core"))
    return figures
