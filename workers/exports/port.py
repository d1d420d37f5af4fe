"""The port to the metrics of exports."""

from __future__ import annotations

from typing import Protocol


class ExportMetrics(Protocol):
    """Measures exports of accounts."""

    def export_made(self, *, seconds: float, size: int) -> None:
        """Record an export that became ready: how long its job took, and the bytes of its archive."""
        ...


class NoExportMetrics:
    """Records nothing."""

    def export_made(self, *, seconds: float, size: int) -> None:
        """Do nothing."""
