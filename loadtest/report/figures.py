"""The figures of a load test, in groups. All durations are in milliseconds.

Percentiles are upper ends of buckets, 1.6 % wide at most: never better than the measured values.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from loadtest import names
from loadtest.measures.histogram import Histogram
from loadtest.measures.measures import Measures
from loadtest.measures.record import Record
from loadtest.measures.self_monitor import LAG

PERCENTILES = (0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A distribution of durations; milliseconds."""

    number: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    greatest: float

    @classmethod
    def of(cls, histogram: Histogram) -> Spread:
        """Return the figures of a histogram."""
        p50, p90, p99, p999 = (histogram.percentile(share) / 1000 for share in PERCENTILES)
        return cls(
            number=histogram.number,
            mean=histogram.mean / 1000,
            p50=p50,
            p90=p90,
            p99=p99,
            p999=p999,
            greatest=histogram.greatest / 1000,
        )


@dataclass(frozen=True, kw_only=True)
class Deliveries:
    """Results of the deliveries that one kind of act owed; see `traffic.ledger`."""

    acts: int
    refused: int
    unanswered: int
    held_back: int
    expected: int
    delivered: int
    lost: int
    late: int
    duplicate: int
    told_gaps: int
    unjudged: int
    unfinished: int
    latency: Spread

    @classmethod
    def of(cls, kind: str, measures: Measures) -> Deliveries:
        """Return the figures of one kind of act."""
        counts = measures.counts
        return cls(
            acts=counts[f"{names.ACTS} {kind}"],
            refused=counts[f"{names.REFUSED} {kind}"],
            unanswered=counts[f"{names.UNANSWERED} {kind}"],
            held_back=counts[f"{names.HELD_BACK} {kind}"],
            expected=counts[f"{names.EXPECTED} {kind}"],
            delivered=counts[f"{names.DELIVERED} {kind}"],
            lost=counts[f"{names.LOST} {kind}"],
            late=counts[f"{names.LATE} {kind}"],
            duplicate=counts[f"{names.DUPLICATE} {kind}"],
            told_gaps=counts[f"{names.TOLD_GAPS} {kind}"],
            unjudged=counts[f"{names.UNJUDGED} {kind}"],
            unfinished=counts[f"{names.UNFINISHED} {kind}"],
            latency=Spread.of(measures.duration(kind)),
        )


@dataclass(frozen=True, kw_only=True)
class Sockets:
    """Results of the sockets; `closes` counts closed connections that the tester did not close, by close code."""

    asked: int
    connected: int
    gave_up: int
    missing_at_the_end: int
    failed_attempts: int
    cut: int
    reconnected: int
    streams_recovered: int
    streams_not_recovered: int
    closes: Mapping[int, int]
    connect: Spread
    recovery: Spread

    @classmethod
    def of(cls, asked: int, measures: Measures) -> Sockets:
        """Return the figures of the sockets; `asked` is the requested number."""
        counts = measures.counts
        return cls(
            asked=asked,
            connected=counts[names.CONNECTED],
            gave_up=counts[names.GAVE_UP],
            missing_at_the_end=counts[names.MISSING],
            failed_attempts=counts[names.REFUSALS],
            cut=counts[names.CUT],
            reconnected=counts[names.RECONNECTED],
            streams_recovered=counts[names.RECOVERED],
            streams_not_recovered=counts[names.UNRECOVERED],
            closes=dict(sorted(measures.closes.items())),
            connect=Spread.of(measures.duration(names.CONNECT)),
            recovery=Spread.of(measures.duration(names.RECOVERY)),
        )


@dataclass(frozen=True, kw_only=True)
class TesterLoad:
    """Load of the tester itself: shares of one core (0–1) and the event loop's delay, over all processes.

    `cores` are those of the tester's machine, which the service shares if it is the same one.
    """

    processes: int
    cores: int
    mean_cpu: float
    busiest_process: float
    busiest_second: float
    lag: Spread

    @classmethod
    def of(cls, record: Record) -> TesterLoad:
        """Return the figures of the tester processes."""
        statuses = record.statuses.values()
        shares = [status.busy / status.passed for status in statuses if status.passed]
        return cls(
            cores=os.cpu_count() or 1,
            processes=len(statuses),
            mean_cpu=sum(shares) / len(shares) if shares else 0.0,
            busiest_process=max(shares, default=0.0),
            busiest_second=max([*shares, *(status.busiest for status in statuses)], default=0.0),
            lag=Spread.of(record.measures.duration(LAG)),
        )
