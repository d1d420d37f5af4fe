"""The result of a load test, from which the table, the JSON document and the picture are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from loadtest import names
from loadtest.measures.histogram import Histogram
from loadtest.measures.record import Record
from loadtest.measures.timeline import Timeline
from loadtest.plan import Plan
from loadtest.report.figures import Deliveries, Sockets, Spread, TesterLoad
from loadtest.report.findings import LoadFinding, Severity, findings_of

DRAWN = (*names.KINDS, names.CONNECT, names.RECOVERY)
REQUESTS = (names.REQUEST_LIKE, names.REQUEST_UPLOAD, names.REQUEST_FEED)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All figures of a load test; `findings` are sentences about problems, the worst first."""

    plan: Plan
    started_at: datetime
    connecting_seconds: float
    acting_seconds: float
    sockets: Sockets
    deliveries: Mapping[str, Deliveries]
    publications: int
    repeated: int
    disorder: int
    requests: Mapping[str, Spread]
    limited: Mapping[str, int]
    errors: Mapping[str, int]
    tester: TesterLoad
    timeline: Timeline
    acting_from: float | None
    histograms: Mapping[str, Histogram]
    findings: tuple[LoadFinding, ...]

    @property
    def lost(self) -> int:
        """Return how many deliveries were lost."""
        return sum(item.lost for item in self.deliveries.values())

    @property
    def duplicates(self) -> int:
        """Return how many deliveries arrived twice."""
        return self.repeated + sum(item.duplicate for item in self.deliveries.values())

    @property
    def well(self) -> bool:
        """Return whether the service kept its guarantees."""
        return all(finding.severity is not Severity.BAD for finding in self.findings)


def summarise(plan: Plan, record: Record, started_at: datetime) -> Summary:
    """Return the result of a record."""
    measures = record.measures
    counts = measures.counts
    deliveries = {kind: Deliveries.of(kind, measures) for kind in names.KINDS if counts[f"{names.ACTS} {kind}"]}
    sockets, tester = Sockets.of(plan.sockets, measures), TesterLoad.of(record)
    prefix = f"{names.LIMITED} "
    limited = {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}
    acting = record.acting
    findings = findings_of(
        sockets, deliveries, tester, limited, repeated=counts[names.REPEATED], disorder=counts[names.DISORDER]
    )
    return Summary(
        plan=plan,
        started_at=started_at,
        connecting_seconds=acting[0] if acting else 0.0,
        acting_seconds=acting[1] - acting[0] if acting else 0.0,
        sockets=sockets,
        deliveries=deliveries,
        publications=counts[names.PUBLICATIONS],
        repeated=counts[names.REPEATED],
        disorder=counts[names.DISORDER],
        requests={name: Spread.of(measures.durations[name]) for name in REQUESTS if name in measures.durations},
        limited=limited,
        errors=dict(measures.errors.most_common()),
        tester=tester,
        timeline=record.timeline,
        acting_from=acting[0] if acting else None,
        histograms={name: measures.durations[name] for name in DRAWN if name in measures.durations},
        findings=findings,
    )
