"""Results of load tests that never ran, for tests of the reports."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Any

from loadtest.measures.measures import Measures
from loadtest.measures.record import Phase, Record
from loadtest.plan import Plan
from loadtest.profiles import PROFILES, ProfileName
from loadtest.report.summary import Summary, summarise


def make_summary(
    profile: ProfileName = ProfileName.STORM,
    *,
    counts: dict[str, int] | None = None,
    seconds: int = 10,
    cpu: float = 0.3,
    lag: float = 0.001,
    **fields: Any,
) -> Summary:
    """Return the result of a test with two processes and 100 sockets; `counts` are added to its successful ones."""
    plan = Plan(
        **{
            "url": "https://photos.example.com",
            "live": ("wss://photos.example.com/connection/websocket",),
            "profile_name": profile,
            "profile": PROFILES[profile],
            "users": 5,
            "processes": 2,
            **fields,
        }
    )
    record = Record(time.monotonic())
    record.enter(Phase.CONNECT)
    record.enter(Phase.ACT)
    generator = random.Random(7)
    for second in range(seconds):
        for process in range(2):
            measures = _second(profile, generator, first=second == 0, lag=lag)
            if second == 5 and process == 0:
                measures.counts.update(counts or {})
            record.add_report(process, _report(record, second, measures, cpu))
    assert record.acting is not None
    record.acting = (0.0, float(seconds))
    return summarise(plan, record, datetime(2026, 11, 26, 18, 49, tzinfo=UTC))


def _second(profile: ProfileName, generator: random.Random, *, first: bool, lag: float) -> Measures:
    measures = Measures()
    if first:
        measures.count("connected", 50)
        for _ in range(50):
            measures.took("connect", generator.uniform(0.002, 0.02))
    if not PROFILES[profile].quiet:
        for kind, median in (("like", 0.007), ("photo", 0.035)):
            for name, number in (("acts", 2), ("expected", 40), ("delivered", 40)):
                measures.count(f"{name} {kind}", number)
            for _ in range(40):
                measures.took(kind, median * generator.lognormvariate(0, 0.4))
    measures.took("lag", lag)
    return measures


def _report(record: Record, second: int, measures: Measures, cpu: float) -> dict[str, Any]:
    return {
        "second": second + 0.5 + record.connecting_at - record.began,
        "measures": measures.to_wire(),
        "connected": 50,
        "busy": cpu,
        "passed": 1.0,
        "done": 1,
        "steps": 1,
        "notice": "",
    }
