"""The charts of a load test's picture; each function returns the SVG of one chart in a given box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from loadtest.measures.histogram import Histogram
from loadtest.measures.timeline import Slot
from loadtest.report import scales, svg
from loadtest.report.scales import LinearScale, LogScale

Scale = LinearScale | LogScale
BINS_A_DECADE = 16  # of the distribution; the histogram itself is finer
_LOWEST = 0.05  # milliseconds; shorter durations are drawn as this
_MARKS = (0.5, 0.99)


@dataclass(frozen=True, slots=True)
class Box:
    """The area of a chart's lines; its labels are around it."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Return the right end."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Return the lower end."""
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of duration: its title and the CSS class of its colour."""

    name: str
    title: str
    colour: str


def latency_over_time(box: Box, slots: Sequence[tuple[float, Slot]], width: int, series: Sequence[Series]) -> str:
    """Return p50 (line) and p99 (upper end of the area) of each interval."""
    histograms = [histogram for _, slot in slots for histogram in slot.latency.values()]
    low, high = scales.log_range([_ms(item.percentile(share)) for item in histograms for share in _MARKS])
    x, y = LinearScale(0.0, _end_of(slots, width), box.left, box.right), LogScale(low, high, box.bottom, box.top)
    parts = [
        _frame(box),
        _rows(box, y, scales.log_ticks(low, high, ends=True), scales.milliseconds),
        _time_axis(box, x),
    ]
    parts += _storms(box, x, slots, labelled=True)
    for item in series:
        for run in _runs(slots, item.name, width):
            moments = [x(second + width / 2) for second, _ in run]
            lines = {
                share: [
                    (moment, y(_ms(histogram.percentile(share))))
                    for moment, (_, histogram) in zip(moments, run, strict=True)
                ]
                for share in _MARKS
            }
            parts.append(svg.band(lines[0.5], lines[0.99], f"area {item.colour}"))
            parts.append(svg.path(lines[0.99], f"thin {item.colour}"))
            parts.append(svg.path(lines[0.5], f"line {item.colour}"))
    return svg.group(parts)


def sockets_over_time(box: Box, slots: Sequence[tuple[float, Slot]], width: int) -> str:
    """Return the smallest number of connected sockets of each interval."""
    known = [(second, slot.connected) for second, slot in slots if slot.connected is not None]
    ticks = scales.linear_ticks(max((count for _, count in known), default=1), most=3)
    x, y = (
        LinearScale(0.0, _end_of(slots, width), box.left, box.right),
        LinearScale(0.0, ticks[-1], box.bottom, box.top),
    )
    points = [(x(second + width / 2), y(count)) for second, count in known]
    parts = [_frame(box), _rows(box, y, ticks, _count), _time_axis(box, x), *_storms(box, x, slots, labelled=False)]
    if points:
        parts.append(svg.band([(moment, box.bottom) for moment, _ in points], points, "area sockets"))
        parts.append(svg.path(points, "line sockets"))
    return svg.group(parts)


def distribution(box: Box, histograms: Mapping[str, Histogram], series: Sequence[Series]) -> str:
    """Return the share of the durations in each bin of a logarithmic axis."""
    low, high = scales.log_range([value for histogram in histograms.values() for value in _ends(histogram)])
    bins = {item.name: _bins(histograms[item.name], low, high) for item in series}
    ticks = scales.linear_ticks(max(share for shares in bins.values() for _, _, share in shares) * 100, most=4)
    x, y = LogScale(low, high, box.left, box.right), LinearScale(0.0, ticks[-1], box.bottom, box.top)
    parts = [
        _frame(box),
        _rows(box, y, ticks, lambda value: f"{value:g} %"),
        _columns(box, x, scales.log_ticks(low, high)),
    ]
    for item in series:
        top = [(x(edge), y(share * 100)) for left, right, share in bins[item.name] for edge in (left, right)]
        parts.append(svg.band([(across, box.bottom) for across, _ in top], top, f"area {item.colour}"))
        parts.append(svg.path(top, f"line {item.colour}"))
    return svg.group(parts)


def percentiles(box: Box, histograms: Mapping[str, Histogram], series: Sequence[Series]) -> str:
    """Return the duration of each percentile; the axis stretches the slow end: 90, 99, 99.9 … %."""
    most = max(histograms[item.name].number for item in series)
    rarest = next((rare for rare in (1e-2, 1e-3, 1e-4, 1e-5) if most * rare <= 10), 1e-6)
    values = [_ms(histograms[item.name].percentile(0.5)) for item in series]
    low, high = scales.log_range([*values, *(_ms(histograms[item.name].greatest) for item in series)])
    x, y = LogScale(rarest, 0.5, box.right, box.left), LogScale(low, high, box.bottom, box.top)
    shares = [0.5, *(1 - 10.0**-digits for digits in range(1, 7) if 10.0**-digits >= rarest * 0.999)]
    parts = [_frame(box), _rows(box, y, scales.log_ticks(low, high, ends=True), scales.milliseconds)]
    for share in shares:
        across = x(1 - share)
        parts.append(svg.line((across, box.top), (across, box.bottom), "grid"))
        parts.append(svg.text(f"{share * 100:.6g} %", across, box.bottom + 16, "tick", "middle"))
    for item in series:
        histogram = histograms[item.name]
        points = [(x(rare), y(_ms(histogram.percentile(1 - rare)))) for rare in _rarities(histogram.number, rarest)]
        parts.append(svg.path(points, f"line {item.colour}"))
    return svg.group(parts)


def _rarities(number: int, rarest: float) -> list[float]:
    """Return the shares to draw, from a half downwards, twenty per decade, as far as there are values."""
    steps, rare = [], 0.5
    while rare >= max(rarest, 1 / max(number, 1)) * 0.999:
        steps.append(rare)
        rare *= 10 ** (-1 / 20)
    return steps


def _bins(histogram: Histogram, low: float, high: float) -> list[tuple[float, float, float]]:
    """Return (from, to, share of all) of even bins of the logarithm; a bucket on an edge is split by its width."""
    factor = 10 ** (1 / BINS_A_DECADE)
    edges = [low]
    while edges[-1] < high * 0.999:
        edges.append(edges[-1] * factor)
    counts = [0.0] * (len(edges) - 1)
    for bucket in histogram.buckets():
        start, end = max(bucket.low / 1000, low), max((bucket.high + 1) / 1000, low * 1.000001)
        for place in range(len(counts)):
            overlap = min(end, edges[place + 1]) - max(start, edges[place])
            if overlap > 0:
                counts[place] += bucket.count * overlap / (end - start)
    return [(edges[place], edges[place + 1], count / histogram.number) for place, count in enumerate(counts)]


def _runs(slots: Sequence[tuple[float, Slot]], name: str, width: int) -> Iterable[list[tuple[float, Histogram]]]:
    """Yield runs of intervals with values, so that no line is drawn across a gap."""
    run: list[tuple[float, Histogram]] = []
    for second, slot in slots:
        histogram = slot.latency.get(name)
        if histogram is None or not histogram.number:
            continue
        if run and second - run[-1][0] > width * 3:
            yield run
            run = []
        run.append((second, histogram))
    if run:
        yield run


def _storms(box: Box, x: LinearScale, slots: Sequence[tuple[float, Slot]], *, labelled: bool) -> list[str]:
    parts = []
    for second, slot in slots:
        if slot.cut:
            across = x(second)
            parts.append(svg.line((across, box.top), (across, box.bottom), "storm"))
            if labelled:
                parts.append(svg.text(f"{slot.cut:,} cut", across + 4, box.top + 12, "note"))
    return parts


def _frame(box: Box) -> str:
    return svg.line((box.left, box.bottom), (box.right, box.bottom), "axis")


def _rows(box: Box, y: Scale, ticks: Sequence[float], name: Callable[[float], str]) -> str:
    return svg.group(
        svg.line((box.left, y(tick)), (box.right, y(tick)), "grid")
        + svg.text(name(tick), box.left - 8, y(tick) + 4, "tick", "end")
        for tick in ticks
    )


def _columns(box: Box, x: Scale, ticks: Sequence[float]) -> str:
    return svg.group(
        svg.line((x(tick), box.top), (x(tick), box.bottom), "grid")
        + svg.text(scales.milliseconds(tick), x(tick), box.bottom + 16, "tick", "middle")
        for tick in ticks
    )


def _time_axis(box: Box, x: LinearScale) -> str:
    return svg.group(
        svg.line((x(tick), box.bottom), (x(tick), box.bottom + 4), "axis")
        + svg.text(scales.seconds(tick), x(tick), box.bottom + 16, "tick", "middle")
        for tick in scales.time_ticks(x.high, most=10)
    )


def _end_of(slots: Sequence[tuple[float, Slot]], width: int) -> float:
    return slots[-1][0] + width if slots else float(width)


def _ends(histogram: Histogram) -> tuple[float, float]:
    return _ms(histogram.least), _ms(histogram.greatest)


def _ms(microseconds: int) -> float:
    return max(microseconds / 1000, _LOWEST)


def _count(value: float) -> str:
    return f"{value:,.0f}"
