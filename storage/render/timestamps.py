"""The API's format of timestamps."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_of(milliseconds: int) -> str:
    """Return a time in Unix milliseconds in the format of `timestamp`."""
    return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC))
