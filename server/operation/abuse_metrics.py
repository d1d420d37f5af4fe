"""Prometheus metrics of the detection of abuse."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class AbuseMetrics:
    """Records what automatic rules find, and the sizes of the lists of known images."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._findings = Counter(
            "picshare_abuse_findings",
            "What automatic rules have found, by the rule, such as the name of a list, and what follows.",
            ("kind", "rule", "action"),
            registry=registry,
        )
        self._scans = Counter(
            "picshare_scans", "Scans of originals before publication, by result.", ("result",), registry=registry
        )
        self._hash_list_entries = Gauge(
            "picshare_hash_list_entries",
            "Entries of a list of known images, by the hash that they are.",
            ("list", "hash"),
            registry=registry,
        )

    def file_scanned(self, *, result: str) -> None:
        """Record a scan of an original: `pass`, `match`, or `unavailable`."""
        self._scans.labels(result).inc()

    def abuse_found(self, *, kind: str, rule: str, action: str) -> None:
        """Record a finding."""
        self._findings.labels(kind, rule, action).inc()

    def hash_lists_counted(self, sizes: dict[str, dict[str, int]]) -> None:
        """Record the present lists: by name, the numbers of entries by their hash."""
        self._hash_list_entries.clear()
        for name, numbers in sizes.items():
            for kind, number in numbers.items():
                self._hash_list_entries.labels(name, kind).set(number)
