"""The result of a load test as a JSON document; `docs/loadtest.md` describes it."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

from loadtest.errors import LoadTestError
from loadtest.report.summary import Summary

FORM = 1  # incremented when the meaning of a field changes


def document_of(summary: Summary) -> dict[str, Any]:
    """Return the result as plain values; durations in milliseconds."""
    plan = summary.plan
    return {
        "form": FORM,
        "version": version("picshare"),
        "started_at": summary.started_at.isoformat(timespec="seconds"),
        "plan": {
            "url": plan.url,
            "live": list(plan.live),
            "profile": plan.profile_name.value,
            **{name: value for name, value in asdict(plan.profile).items() if name != "purpose"},
            "sockets": plan.sockets,
            "connects_per_second": plan.rate,
            "seconds": plan.seconds,
            "processes": plan.processes,
            "people": plan.users,
            "patience": plan.patience,
        },
        "well": summary.well,
        "findings": [asdict(finding) for finding in summary.findings],
        "connecting_seconds": round(summary.connecting_seconds, 1),
        "acting_seconds": round(summary.acting_seconds, 1),
        "deliveries": {kind: asdict(item) for kind, item in summary.deliveries.items()},
        "lost": summary.lost,
        "duplicates": summary.duplicates,
        "disorder": summary.disorder,
        "publications": summary.publications,
        "sockets": {**asdict(summary.sockets), "closes": _with_text_keys(summary.sockets.closes)},
        "requests": {name: asdict(spread) for name, spread in summary.requests.items()},
        "limited": dict(summary.limited),
        "errors": dict(summary.errors),
        "tester": asdict(summary.tester),
        "timeline": [
            {
                "second": second,
                "connected": slot.connected,
                "cut": slot.cut,
                "latency": {
                    kind: {
                        "number": histogram.number,
                        "p50": histogram.percentile(0.5) / 1000,
                        "p99": histogram.percentile(0.99) / 1000,
                        "greatest": histogram.greatest / 1000,
                    }
                    for kind, histogram in slot.latency.items()
                },
            }
            for second, slot in summary.timeline.slots()
        ],
        "histograms": {
            kind: [[bucket.low / 1000, bucket.high / 1000, bucket.count] for bucket in histogram.buckets()]
            for kind, histogram in summary.histograms.items()
        },
    }


def write_json(summary: Summary, path: Path) -> None:
    """Write the document to a file; raise `LoadTestError` if that is not possible."""
    content = orjson.dumps(document_of(summary), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise LoadTestError(f"The figures cannot be written to {path}: {error.strerror}.") from error


def _with_text_keys(closes: Any) -> dict[str, int]:
    return {str(code): number for code, number in closes.items()}
