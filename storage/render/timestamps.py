"""Timestamps as the API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(moment: datetime) -> str:
    """Return a moment as RFC 3339 in UTC with milliseconds, as everywhere in the API."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timestamp_of(milliseconds: int) -> str:
    """Return a moment in Unix milliseconds in the form of `timestamp`."""
    return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC))
