"""The result of a load test as an SVG picture that is readable on light and on dark backgrounds.

It needs no library, no script and no font; its colours follow the reader's colour scheme.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest import names
from loadtest.errors import LoadTestError
from loadtest.report import charts, scales, svg
from loadtest.report.charts import Box, Series
from loadtest.report.findings import Severity
from loadtest.report.summary import Summary
from loadtest.report.table import good_news, milliseconds

WIDTH = 1000
_MARGIN, _LEFT, _RIGHT, _GAP = 28.0, 84.0, 972.0, 10.0
_LINE_LENGTH = 132  # characters of the small print
_URL_LENGTH = 44

SERIES = (
    Series(names.LIKE, "like → owner's sockets", "like"),
    Series(names.PHOTO, "photo → followers' sockets", "photo"),
    Series(names.RECOVERY, "reconnect and recover", "recovery"),
    Series(names.CONNECT, "connect", "connect"),
)

STYLE = """
svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --paper: #ffffff; --ink: #1b1f27; --soft: #5b6472; --grid: #e6e8ec; --axis: #9aa2af; --tile: #f4f5f7;
  --like: #2563eb; --photo: #c2410c; --recovery: #0f766e; --connect: #7c3aed; --sockets: #64748b;
  --bad: #c62828; --good: #1b7f3b; --warn: #9a6200; }
@media (prefers-color-scheme: dark) { svg {
  --paper: #14171c; --ink: #eceff4; --soft: #a3acba; --grid: #272c35; --axis: #5d6675; --tile: #1e232b;
  --like: #7aa7ff; --photo: #ff9d66; --recovery: #4fd1c0; --connect: #b794f6; --sockets: #94a3b8;
  --bad: #ff8a80; --good: #66d48a; --warn: #f0b94a; } }
.paper { fill: var(--paper); } .tile { fill: var(--tile); }
text { fill: var(--ink); font-size: 13px; }
.title { font-size: 24px; font-weight: 650; }
.soft, .tick, .note { fill: var(--soft); } .tick, .note { font-size: 11.5px; }
.heading { font-size: 14px; font-weight: 600; } .figure { font-size: 18px; font-weight: 650; }
.small { font-size: 12px; } .bad { fill: var(--bad); } .good { fill: var(--good); } .warning { fill: var(--warn); }
.grid { stroke: var(--grid); } .axis { stroke: var(--axis); } .storm { stroke: var(--axis); stroke-dasharray: 4 3; }
path, circle { stroke: var(--tone); fill: none; stroke-linejoin: round; }
.line { stroke-width: 2; } .thin { stroke-width: 1; opacity: 0.7; }
.area { stroke: none; fill: var(--tone); opacity: 0.16; } .dot, .key { fill: var(--tone); stroke: none; }
.like { --tone: var(--like); } .photo { --tone: var(--photo); } .recovery { --tone: var(--recovery); }
.connect { --tone: var(--connect); } .sockets { --tone: var(--sockets); }
"""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure in large type."""

    title: str
    value: str
    bad: bool = False

    @property
    def weight(self) -> float:
        """Return the tile's weight in the layout: about the width of its text."""
        return 28 + max(10.4 * len(self.value), 6.6 * len(self.title))


def write_picture(summary: Summary, path: Path) -> None:
    """Write the picture to a file; raise `LoadTestError` if that is not possible."""
    try:
        path.write_text(picture_of(summary))
    except OSError as error:
        raise LoadTestError(f"The picture cannot be written to {path}: {error.strerror}.") from error


def picture_of(summary: Summary) -> str:
    """Return the picture."""
    kinds = [item for item in SERIES if item.name in names.KINDS and item.name in summary.deliveries]
    drawn = [item for item in SERIES if _has(summary, item.name)]
    shown = [item for item in drawn if item.name != names.CONNECT or not kinds]
    parts, top = [_head(summary)], 178.0
    slots, width = list(summary.timeline.slots()), summary.timeline.width
    if any(slot.latency for _, slot in slots):
        parts.append(_heading("Delivery over time: p50 (line) up to p99 (area)", _LEFT, top, kinds))
        parts.append(charts.latency_over_time(Box(_LEFT, top + 16, _RIGHT - _LEFT, 220), slots, width, kinds))
        top += 286
    if slots:
        parts.append(_heading("Sockets connected", _LEFT, top))
        parts.append(charts.sockets_over_time(Box(_LEFT, top + 16, _RIGHT - _LEFT, 64), slots, width))
        top += 130
    if shown:
        histograms = summary.histograms
        parts.append(_heading("Distribution of durations", _LEFT, top))
        parts.append(charts.distribution(Box(_LEFT, top + 16, 376, 190), histograms, shown))
        parts.append(_heading("Percentiles", 564, top))
        parts.append(charts.percentiles(Box(564, top + 16, 380, 190), histograms, shown))
        parts.append(_keys(shown, _LEFT, top + 250))
        top += 282
    words, height = _small_print(summary, top)
    return _document([*parts, words], height)


def _head(summary: Summary) -> str:
    plan = summary.plan
    subtitle = (
        f"{summary.sockets.connected:,} sockets of {plan.users:,} users · {plan.processes} tester "
        f"process{'' if plan.processes == 1 else 'es'} · {scales.seconds(summary.acting_seconds)} of traffic · "
        f"{_shortened(plan.url)} · {summary.started_at:%Y-%m-%d %H:%M} UTC"
    )
    parts = [
        svg.text(f"PicShare load test: {plan.profile_name.value}", _MARGIN, 48, "title"),
        svg.text(subtitle, _MARGIN, 72, "soft"),
    ]
    tiles = _tiles(summary)
    unit = (_RIGHT - _MARGIN - _GAP * (len(tiles) - 1)) / sum(tile.weight for tile in tiles)
    left = _MARGIN
    for tile in tiles:
        width = unit * tile.weight
        parts.append(svg.rectangle((left, 90), (width, 58), "tile", radius=8))
        parts.append(svg.text(tile.title, left + 12, 111, "small soft"))
        parts.append(svg.text(tile.value, left + 12, 136, "figure bad" if tile.bad else "figure"))
        left += width + _GAP
    return svg.group(parts)


def _tiles(summary: Summary) -> list[Tile]:
    sockets = summary.sockets
    kept = sockets.connected - sockets.missing_at_the_end
    tiles = [Tile("sockets", f"{kept:,} of {sockets.asked:,}", bad=kept < sockets.asked)]
    if summary.deliveries:
        delivered = sum(item.delivered for item in summary.deliveries.values())
        tiles += [
            Tile("delivered", f"{delivered:,}"),
            Tile("lost", f"{summary.lost:,}", bad=summary.lost > 0),
            Tile("duplicated", f"{summary.duplicates:,}", bad=summary.duplicates > 0),
            Tile("out of order", f"{summary.disorder:,}", bad=summary.disorder > 0),
        ]
    for kind, item in summary.deliveries.items():
        tiles.append(Tile(f"{kind}: p50 / p99", f"{_short(item.latency.p50)} / {_short(item.latency.p99)}"))
    if not summary.deliveries:
        connect = sockets.connect
        tiles.append(Tile("connect: p50 / p99", f"{_short(connect.p50)} / {_short(connect.p99)}"))
    return tiles


def _heading(words: str, left: float, top: float, series: Sequence[Series] = ()) -> str:
    keys = _keys(series, _RIGHT - sum(map(_key_width, series)) + 20, top)
    return svg.text(words, left, top, "heading") + keys


def _keys(series: Sequence[Series], left: float, top: float) -> str:
    parts = []
    for item in series:
        parts.append(svg.rectangle((left, top - 10), (12, 12), f"key {item.colour}", radius=3))
        parts.append(svg.text(item.title, left + 18, top, "small soft"))
        left += _key_width(item)
    return svg.group(parts)


def _key_width(item: Series) -> float:
    return 40 + 6.6 * len(item.title)


def _small_print(summary: Summary, top: float) -> tuple[str, float]:
    """Return the findings below the charts, and the height of the picture."""
    lines: list[tuple[str, str]] = []
    if summary.well:
        lines.append((good_news(summary), "small good"))
    for finding in summary.findings:
        style = "small bad" if finding.severity is Severity.BAD else "small warning"
        lines += [(text, style) for text in textwrap.wrap(finding.sentence, _LINE_LENGTH)]
    tester = summary.tester
    lines.append(
        (
            f"Tester: {tester.processes} on {tester.cores} cores, busiest process {tester.busiest_process:.0%}, delay "
            f"{milliseconds(tester.lag.p99)} ms at p99. Durations: from before a request to its publication's arrival.",
            "small soft",
        )
    )
    parts = [svg.text(words, _MARGIN, top + 18 * number, style) for number, (words, style) in enumerate(lines)]
    return svg.group(parts), top + 18 * len(lines) + 8


def _document(parts: Sequence[str], height: float) -> str:
    content = svg.element("style", STYLE) + svg.rectangle((0, 0), (WIDTH, height), "paper", radius=10) + "".join(parts)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
    return f'{head}height="{height:.0f}" role="img">{content}</svg>\n'


def _has(summary: Summary, name: str) -> bool:
    histogram = summary.histograms.get(name)
    return histogram is not None and histogram.number > 0


def _shortened(url: str) -> str:
    return url if len(url) <= _URL_LENGTH else url[: _URL_LENGTH - 1] + "…"


def _short(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"
