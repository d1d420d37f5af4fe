"""Times in requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from server.edge.moments import Moment, QueryMoment

BODY: TypeAdapter[datetime] = TypeAdapter(Moment)
QUERY: TypeAdapter[datetime] = TypeAdapter(QueryMoment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T11:00:00Z", datetime(2026, 11, 20, 11, tzinfo=UTC)),
        ("2026-11-20T12:30:00+01:30", datetime(2026, 11, 20, 11, tzinfo=UTC)),
        ("9999-12-31T23:59:59-00:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_in_utc(text: str, expected: datetime) -> None:
    """A time with an offset is the same time in UTC."""
    for adapter in (BODY, QUERY):
        moment = adapter.validate_python(text)
        assert (moment, moment.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-20T11:00:00",
        "2026-11-20",
        "now",
        "",
        "9999-12-31T23:59:59-00:01",  # of the year 10000 in UTC
        "0001-01-01T00:00:00+00:01",
        "2026-11-20T11:00:00+99:99",
        1795172400,
        1e300,
        True,
        None,
        ["2026-11-20T11:00:00Z"],
    ],
)
def test_what_is_no_time_is_refused_with_an_example(value: Any) -> None:
    """Without an offset, outside the calendar, and numbers; a query has a hint about its plus sign."""
    for adapter, hint in ((BODY, "00Z."), (QUERY, "+ is %2B.")):
        with pytest.raises(ValidationError) as caught:
            adapter.validate_python(value)
        (error,) = caught.value.errors()
        assert "Use a time with its offset, for example 2026-11-20T11:00:00Z" in error["msg"]
        assert error["msg"].endswith(hint)
