"""The rule for the time at which a photo was taken, whether its EXIF or its author says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_FIRST = datetime(1826, 1, 1, tzinfo=UTC)  # no photograph is older
_AHEAD = timedelta(days=1)  # that the clock of a camera may be fast


def photo_time(text: str) -> datetime:
    """Return the time of an ISO 8601 text with an offset, in UTC; raise `ValueError` for any other text or time.

    Without an offset it would be known only to a day.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    if not _FIRST <= moment <= datetime.now(UTC) + _AHEAD:
        raise ValueError("a time before photography, or in the future")
    return moment.astimezone(UTC)
