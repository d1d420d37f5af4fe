"""The time of the last backup of a data directory, as a metric."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge

from server.operation.data_dir import last_backup


def expose_last_backup(registry: CollectorRegistry, directory: Path) -> None:
    """Add a gauge that is read from the directory at each scrape; 0 as long as there is no backup."""

    def seconds() -> float:
        found = last_backup(directory)
        return 0.0 if found is None else found[0].timestamp()

    gauge = Gauge(
        "picshare_last_backup_timestamp_seconds",
        "When the last backup by `picshare backup` was complete, in Unix time; 0: never.",
        registry=registry,
    )
    gauge.set_function(seconds)
