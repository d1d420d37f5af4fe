"""Times in requests: a field of a body, or a parameter of a query, as a time that has an offset."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

_EXAMPLE = "2026-11-20T11:00:00Z"
_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]})


def _moment(hint: str) -> Callable[[Any], datetime]:
    def moment_of(text: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
            # Without an offset it would be known only to a day.
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        # Within the hours of an offset the first and the last year are not years in UTC.
        except (TypeError, ValueError, OverflowError):
            pass
        raise ValueError(f"Use a time with its offset, for example {_EXAMPLE}{hint}.")

    return moment_of


Moment = Annotated[datetime, PlainValidator(_moment("")), _SCHEMA]
"""A time in a body, in UTC."""

QueryMoment = Annotated[datetime, PlainValidator(_moment("; in an address, + is %2B")), _SCHEMA]
"""A time in a query, in UTC."""
