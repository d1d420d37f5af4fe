"""The doctor's check of backups: how old the last one of the data directory is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.administration.findings import Finding
from server.operation.data_dir import last_backup

MAX_AGE = timedelta(days=7)
_ADVICE = "Run `picshare backup` every day, and keep copies of its directories on another machine."


def inspect_backup(directory: Path, *, now: datetime | None = None) -> Finding:
    """Report when the last `picshare backup` of a data directory was complete; warn after a week without one."""
    found = last_backup(directory)
    if found is None:
        return Finding(name="backup", detail="there is none by `picshare backup`", warning=_ADVICE)
    moment, path = found
    old = (now or datetime.now(UTC)) - moment > MAX_AGE
    detail = f"the last one was complete at {moment:%Y-%m-%d %H:%M} UTC, in {path}"
    return Finding(name="backup", detail=detail, warning=_ADVICE if old else "")
