"""What deserves attention in the outcome of a load test, in sentences that say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from loadtest.community.rest import UNKNOWN_LIMIT
from loadtest.report.figures import Deliveries, Sockets, TesterLoad

BUSY_CPU = 0.8  # share of a core from which on a tester process measures itself
BUSY_LAG = 20.0  # milliseconds of lateness of its event loop, at the 99th percentile


class Severity(StrEnum):
    """How bad it is: BAD is a broken promise (exit code 1), a WARNING limits what the figures say."""

    BAD = "bad"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence and how bad it is."""

    severity: Severity
    sentence: str


def findings_of(
    sockets: Sockets,
    deliveries: Mapping[str, Deliveries],
    tester: TesterLoad,
    limited: Mapping[str, int],
    *,
    repeated: int,
    disorder: int,
) -> tuple[Finding, ...]:
    """Return everything that deserves attention, broken promises first."""
    bad = [Finding(Severity.BAD, text) for text in _broken(sockets, deliveries, repeated, disorder)]
    warnings = [Finding(Severity.WARNING, text) for text in _doubts(sockets, deliveries, tester, limited)]
    return (*bad, *warnings)


def is_busy(tester: TesterLoad) -> bool:
    """Tell whether the tester itself was the limit."""
    return tester.busiest_process >= BUSY_CPU or tester.lag.p99 >= BUSY_LAG


def _broken(sockets: Sockets, deliveries: Mapping[str, Deliveries], repeated: int, disorder: int) -> Iterator[str]:
    missing = sockets.asked - sockets.connected
    if missing > 0:
        yield f"Never connected: {missing:,} of {sockets.asked:,} sockets."
    if sockets.missing_at_the_end:
        yield f"Gone at the end: {sockets.missing_at_the_end:,} of {sockets.connected:,} sockets that were connected."
    for kind, item in deliveries.items():
        if item.lost:
            late = f" ({item.late:,} came after the patience was over)" if item.late else ""
            yield f"Lost: {item.lost:,} of {item.expected:,} deliveries of {kind}s{late}."
    twice = repeated + sum(item.duplicate for item in deliveries.values())
    if twice:
        yield f"Came twice: {twice:,} of the deliveries."
    if disorder:
        yield f"Out of order: {disorder:,} publications came with an offset below the one before."


def _doubts(
    sockets: Sockets, deliveries: Mapping[str, Deliveries], tester: TesterLoad, limited: Mapping[str, int]
) -> Iterator[str]:
    if is_busy(tester):
        yield _busy(tester)
    for limit, times in limited.items():
        yield _limited(limit, times)
    if sockets.gave_up:
        yield f"Told to stay away: {sockets.gave_up:,} sockets (see the close codes)."
    if sockets.streams_not_recovered:
        yield (
            f"Not recovered: {sockets.streams_not_recovered:,} streams, whose clients were told so: more was missed, "
            "or for longer, than what is kept."
        )
    for kind, item in deliveries.items():
        yield from _unclear(kind, item)


def _busy(tester: TesterLoad) -> str:
    figures = (
        f"figures are upper bounds. The busiest tester process used {tester.busiest_process:.0%} of a core, and the "
        f"event loops ran {tester.lag.p99:.0f} ms late at the 99th percentile, {tester.lag.greatest:.0f} ms at most."
    )
    if tester.busiest_process >= BUSY_CPU:
        return f"The tester was busy: {figures} Take more --processes, or more machines."
    return f"The tester was kept waiting for a processor: {figures} Run it on a machine with a core to spare."


def _unclear(kind: str, item: Deliveries) -> Iterator[str]:
    if item.held_back:
        yield (
            f"Held back: {item.held_back:,} {kind}s that were due, because all that could be acted on was still under "
            "way. The service is slower than the profile, sockets were away, or the test has too few people."
        )
    if item.unanswered:
        yield f"No answer, or an error of the server: {item.unanswered:,} {kind}s; their deliveries are not judged."
    if item.unfinished:
        yield f"Not judged: {item.unfinished:,} deliveries of {kind}s that the service still worked on at the end."
    if item.unjudged:
        yield f"Not judged: {item.unjudged:,} deliveries of {kind}s to sockets that were away until the end."


def _limited(limit: str, times: int) -> str:
    if limit == UNKNOWN_LIMIT:
        return f"Refused: {times:,} requests, by a limit in front of the service (429)."
    return (
        f"Refused: {times:,} requests, by the service's limit {limit}. With a higher limits.{limit} "
        f"(PICSHARE_LIMITS__{limit.upper()}) it would not hold the test back."
    )
