"""Findings in the result of a load test: sentences that say what is wrong or uncertain, and what to change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from loadtest.community.rest import UNKNOWN_LIMIT
from loadtest.report.figures import Deliveries, Sockets, TesterLoad

BUSY_CPU = 0.8  # share of a core above which a tester process is the bottleneck
BUSY_LAG = 20.0  # milliseconds of delay of its event loop, at the 99th percentile


class Severity(StrEnum):
    """BAD is a broken guarantee (exit code 1), a WARNING limits the meaning of the figures."""

    BAD = "bad"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class LoadFinding:
    """One sentence and its severity."""

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
) -> tuple[LoadFinding, ...]:
    """Return all findings, broken guarantees first."""
    bad = [LoadFinding(Severity.BAD, text) for text in _broken(sockets, deliveries, repeated, disorder)]
    warnings = [LoadFinding(Severity.WARNING, text) for text in _doubts(sockets, deliveries, tester, limited)]
    return (*bad, *warnings)


def is_busy(tester: TesterLoad) -> bool:
    """Return whether the tester itself was the bottleneck."""
    return tester.busiest_process >= BUSY_CPU or tester.lag.p99 >= BUSY_LAG


def _broken(sockets: Sockets, deliveries: Mapping[str, Deliveries], repeated: int, disorder: int) -> Iterator[str]:
    missing = sockets.asked - sockets.connected
    if missing > 0:
        yield f"Never connected: {missing:,} of {sockets.asked:,} sockets."
    if sockets.missing_at_the_end:
        missing_now = sockets.missing_at_the_end
        yield f"Disconnected at the end: {missing_now:,} of {sockets.connected:,} sockets that were connected."
    for kind, item in deliveries.items():
        if item.lost:
            late = f" ({item.late:,} arrived too late)" if item.late else ""
            yield f"Lost: {item.lost:,} of {item.expected:,} deliveries of {kind}s{late}."
    twice = repeated + sum(item.duplicate for item in deliveries.values())
    if twice:
        yield f"Duplicated deliveries: {twice:,}."
    if disorder:
        yield f"Publications out of order: {disorder:,} (their offset is lower than the one before)."


def _doubts(
    sockets: Sockets, deliveries: Mapping[str, Deliveries], tester: TesterLoad, limited: Mapping[str, int]
) -> Iterator[str]:
    if is_busy(tester):
        yield _busy(tester)
    for limit, times in limited.items():
        yield _limited(limit, times)
    if sockets.gave_up:
        yield f"Not reconnected: {sockets.gave_up:,} sockets, because the close code forbids it."
    if sockets.streams_not_recovered:
        yield (
            f"Not recovered: {sockets.streams_not_recovered:,} streams. Their clients were informed; they missed more "
            "than the service keeps."
        )
    for kind, item in deliveries.items():
        yield from _unclear(kind, item)


def _busy(tester: TesterLoad) -> str:
    figures = (
        f"latencies are upper bounds. The busiest tester process used {tester.busiest_process:.0%} of a core, and the "
        f"delay of the event loops was {tester.lag.p99:.0f} ms at p99, {tester.lag.greatest:.0f} ms at most."
    )
    if tester.busiest_process >= BUSY_CPU:
        return f"The tester was busy: {figures} Use more --processes, or more machines."
    return f"The tester had to wait for a processor: {figures} Run it on a machine with a spare core."


def _unclear(kind: str, item: Deliveries) -> Iterator[str]:
    if item.held_back:
        yield (
            f"Held back: {item.held_back:,} {kind}s that were due, because too many earlier ones were in progress. "
            "The service is slower than the profile, sockets were disconnected, or the test has too few users."
        )
    if item.unanswered:
        yield f"No response, or a server error: {item.unanswered:,} {kind}s; their deliveries are not judged."
    if item.unfinished:
        yield f"Not judged: {item.unfinished:,} deliveries of {kind}s that the service was still processing at the end."
    if item.unjudged:
        yield f"Not judged: {item.unjudged:,} deliveries of {kind}s to sockets that were disconnected until the end."


def _limited(limit: str, times: int) -> str:
    if limit == UNKNOWN_LIMIT:
        return f"Refused: {times:,} requests, by a rate limit in front of the service (429)."
    return (
        f"Refused: {times:,} requests, by the service's limit {limit}. Raise limits.{limit} "
        f"(PICSHARE_LIMITS__{limit.upper()}) to avoid this."
    )
