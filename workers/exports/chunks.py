"""The formats of an export's files, as chunks of bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import orjson


async def json_array(pages: AsyncIterator[Iterable[Any]]) -> AsyncIterator[bytes]:
    """Yield a JSON array with one item in a line; each page is one chunk."""
    separator = b"[\n"
    async for page in pages:
        lines = b",\n".join(orjson.dumps(item) for item in page)
        if lines:
            yield separator + lines
            separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def csv_rows(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows as lines of CSV."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
