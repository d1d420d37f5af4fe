"""Thousands of photos in a moment: copies of one photo, made in the database of a running service."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from server.operation.data_dir import read_run_file
from storage import ids

# The sequence and the shard of an id are below its milliseconds: a copy is one millisecond older than the one before.
MILLISECOND = 1 << (ids.SEQUENCE_BITS + ids.SHARD_BITS)
_COPY = """
    INSERT INTO photos
    SELECT (jsonb_populate_record(photo, jsonb_build_object(
        'id', photo.id - number * $4::bigint, 'caption', $2 || ' ' || number || repeat(' far', number % 60)))).*
    FROM photos photo CROSS JOIN generate_series(1, $3) number WHERE photo.id = $1
    RETURNING id"""


async def copies(data: Path, photo_id: str, number: int, *, caption: str) -> list[str]:
    """Copy a ready photo of one picture as older photos; return their ids, the newest first.

    The caption of each has its number, and is of one line or several.
    `data` is the data directory of the service. The copies are in profiles and lists, but not in the home feed.
    """
    addresses = read_run_file(data)
    connection = await asyncpg.connect(addresses["database"])
    try:
        rows = await connection.fetch(_COPY, ids.decode(photo_id), caption, number, MILLISECOND)
    finally:
        await connection.close()
    return sorted((ids.encode(row["id"]) for row in rows), reverse=True)
