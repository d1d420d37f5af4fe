"""Scalars of the schema whose values are those of the REST API."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NewType

import strawberry

Time = NewType("Time", str)
Json = NewType("Json", object)
BigInt = NewType("BigInt", int)


def _same(value: Any) -> Any:
    return value


SCALARS: Mapping[object, Any] = MappingProxyType(
    {
        Time: strawberry.scalar(
            name="DateTime",
            description="A time of RFC 3339 in UTC with milliseconds, as 2026-11-20T12:00:00.000Z.",
            specified_by_url="https://scalars.graphql.org/andimarek/date-time.html",
            serialize=_same,
            parse_value=_same,
        ),
        Json: strawberry.scalar(
            name="JSON",
            description="A JSON object whose shape clients choose.",
            serialize=_same,
            parse_value=_same,
        ),
        BigInt: strawberry.scalar(
            name="BigInt",
            description="A whole number of at most 53 bits, more than the 32 of `Int`.",
            serialize=_same,
            parse_value=_same,
        ),
    }
)
