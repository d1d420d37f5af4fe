"""When a photo was taken: by its EXIF or its author, only with an offset, and only at a possible time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from server.edge.photo_requests import PhotoUpdate
from storage.stores.photos.photo_exif import taken_at

TAKEN = {"DateTimeOriginal": "2026:11:20 10:00:00", "OffsetTimeOriginal": "+01:00"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, datetime(2026, 11, 20, 9, tzinfo=UTC)),
        ({"OffsetTimeOriginal": "-09:30"}, datetime(2026, 11, 20, 19, 30, tzinfo=UTC)),
        ({"OffsetTimeOriginal": "Z"}, datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ({"OffsetTimeOriginal": None}, None),
        ({"OffsetTimeOriginal": ""}, None),
        ({"OffsetTimeOriginal": "+25:00"}, None),
        ({"DateTimeOriginal": None}, None),
        ({"DateTimeOriginal": 5}, None),
        ({"DateTimeOriginal": "0000:00:00 00:00:00"}, None),
        ({"DateTimeOriginal": "2026:11:20"}, None),
        ({"DateTimeOriginal": "1700:01:01 00:00:00"}, None),
        ({"DateTimeOriginal": "9999:01:01 00:00:00"}, None),
    ],
)
def test_the_exif_says_when_with_an_offset(changes: dict[str, Any], expected: datetime | None) -> None:
    """Without an offset, or at an impossible time, it says nothing."""
    assert taken_at(TAKEN | changes) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T12:00:00+01:00", "2026-11-20T11:00:00.000Z"),
        ("2026-11-20T12:00Z", "2026-11-20T12:00:00.000Z"),
        ("", ""),
    ],
)
def test_an_author_says_when(text: str, expected: str) -> None:
    """A time with an offset is taken in UTC; an empty text stays, to remove the time."""
    assert PhotoUpdate(taken_at=text).taken_at == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T12:00:00",
        "yesterday",
        "1700-01-01T00:00:00Z",
        "x" * 50,
        "2999-01-01T00:00:00Z",
    ],
)
def test_another_text_is_refused(text: str) -> None:
    """A time without an offset, an impossible one, and any other text are errors of the field."""
    with pytest.raises(ValidationError):
        PhotoUpdate(taken_at=text)
