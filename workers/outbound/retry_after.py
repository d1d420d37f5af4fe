"""The header Retry-After, with which a peer asks for a pause."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after_of(header: str | None, now: datetime) -> float | None:
    """Return the seconds of a header Retry-After, which has seconds or a date (RFC 9110); None for any other text."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        # More digits than any useful number has, so that no text makes an infinite float.
        return float(text[:12])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
