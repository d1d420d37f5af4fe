"""The result of a load test as a table on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from loadtest import names
from loadtest.report.figures import Deliveries, Spread
from loadtest.report.findings import Severity
from loadtest.report.scales import seconds
from loadtest.report.summary import Summary

TITLES = {
    names.LIKE: "like → owner's sockets",
    names.PHOTO: "photo → followers' sockets",
    names.REQUEST_LIKE: "response to a like",
    names.REQUEST_UPLOAD: "response to an upload",
    names.REQUEST_FEED: "response to GET /feed",
}
_STYLES = {Severity.BAD: "bold red", Severity.WARNING: "yellow"}


def show(summary: Summary, console: Console) -> None:
    """Print the heading, the figures and the findings."""
    console.print()
    console.print(Text(heading_of(summary), style="bold"))
    console.print(_durations(summary))
    if summary.deliveries:
        console.print(_deliveries(summary))
    console.print(_sockets(summary))
    for sentence, number in list(summary.errors.items())[:5]:
        console.print(Text(f"{number:,} × {sentence}", style="dim"))
    for finding in summary.findings:
        console.print(Text(finding.sentence, style=_STYLES[finding.severity]))
    if summary.well:
        console.print(Text(good_news(summary), style="bold green"))


def heading_of(summary: Summary) -> str:
    """Return one line that describes the test."""
    plan = summary.plan
    return (
        f"{plan.profile_name.value}: {summary.sockets.connected:,} sockets of {plan.users:,} users in "
        f"{plan.processes} process{'' if plan.processes == 1 else 'es'}, {seconds(summary.acting_seconds)} at "
        f"{plan.url}"
    )


def good_news(summary: Summary) -> str:
    """Return one line for a test without broken guarantees."""
    if not summary.deliveries:
        return "All sockets were connected."
    delivered = sum(item.delivered for item in summary.deliveries.values())
    return f"{delivered:,} deliveries: none lost, none duplicated, none out of order."


def _durations(summary: Summary) -> Table:
    table = Table("milliseconds", *_right("number", "p50", "p90", "p99", "p99.9", "max"))
    rows = {TITLES[kind]: item.latency for kind, item in summary.deliveries.items()}
    rows |= {TITLES[name]: spread for name, spread in summary.requests.items()}
    rows["connect"] = summary.sockets.connect
    rows["reconnect and recover"] = summary.sockets.recovery
    rows["delay of the tester's event loop"] = summary.tester.lag
    for title, spread in rows.items():
        if spread.number:
            table.add_row(title, *_cells(spread))
    return table


def _deliveries(summary: Summary) -> Table:
    table = Table("deliveries", *_right(*(TITLES[kind] for kind in summary.deliveries)))
    rows: list[tuple[str, str, bool]] = [
        ("acts", "acts", True),
        ("owed", "expected", True),
        ("delivered", "delivered", True),
        ("lost", "lost", True),
        ("duplicated", "duplicate", True),
        ("gap, client informed", "told_gaps", False),
        ("not judged: socket disconnected", "unjudged", False),
        ("not judged: not processed yet", "unfinished", False),
        ("acts refused", "refused", False),
        ("acts without response", "unanswered", False),
        ("acts held back", "held_back", False),
    ]
    for title, field, always in rows:
        values = [_value(item, field) for item in summary.deliveries.values()]
        if always or any(values):
            table.add_row(title, *(f"{value:,}" for value in values))
    return table


def _sockets(summary: Summary) -> Table:
    sockets, tester = summary.sockets, summary.tester
    closes = ", ".join(f"{number:,} × {code}" for code, number in sockets.closes.items())
    rows = {
        "sockets connected": f"{sockets.connected:,} of {sockets.asked:,}",
        "publications received": f"{summary.publications:,}",
        "repeated, out of order": f"{summary.repeated:,}, {summary.disorder:,}",
        "failed attempts": f"{sockets.failed_attempts:,}" if sockets.failed_attempts else "",
        "cut by this test": f"{sockets.cut:,}" if sockets.cut else "",
        "reconnected": f"{sockets.reconnected:,}" if sockets.reconnected else "",
        "streams recovered": (
            f"{sockets.streams_recovered:,} of {sockets.streams_recovered + sockets.streams_not_recovered:,}"
            if sockets.reconnected
            else ""
        ),
        "closed by the service": closes,
        "requests limited": ", ".join(f"{count:,} × {name}" for name, count in summary.limited.items()),
        "CPU usage of the tester": (
            f"{tester.mean_cpu:.0%} of a core each, busiest process {tester.busiest_process:.0%}, "
            f"busiest second {tester.busiest_second:.0%}"
        ),
    }
    table = Table(show_header=False)
    for title, value in rows.items():
        if value:
            table.add_row(title, value)
    return table


def _right(*titles: str) -> list[Column]:
    return [Column(title, justify="right") for title in titles]


def _cells(spread: Spread) -> list[str]:
    values = (spread.p50, spread.p90, spread.p99, spread.p999, spread.greatest)
    return [f"{spread.number:,}", *(milliseconds(value) for value in values)]


def milliseconds(value: float) -> str:
    """Return a duration with about three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _value(item: Deliveries, field: str) -> int:
    return int(getattr(item, field))
