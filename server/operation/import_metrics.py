"""Prometheus metrics of imports."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter

from storage.imports import ImportItemState


class ImportMetrics:
    """Counts the items of imports."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._import_items = Counter(
            "picshare_import_items", "Photos of imported archives, by result.", ["result"], registry=registry
        )

    def item_imported(self, *, result: ImportItemState) -> None:
        """Record the result of an item."""
        self._import_items.labels(result.value).inc()
