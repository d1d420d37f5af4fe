"""Migrations of what is kept and published of the metadata in files: positions, and the rights of earlier images."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from storage.postgres.migrate import migrate
from tests.support.unsharded_installation import migrations_until

pytestmark = pytest.mark.engines

ROWS = 2500  # more than two batches


async def test_stored_positions_are_removed_in_batches(postgres_dsn: str, tmp_path: Path) -> None:
    """No row keeps its GPS block, all keep their other tags, and every account has the setting "off"."""
    await migrate(postgres_dsn, folder=migrations_until(tmp_path, "0016"))
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute(
        """
        INSERT INTO users (shard, id, username, email, password_hash, display_name) VALUES (7, 7, 'ann', 'a', '-', 'A');
        INSERT INTO photos (shard, id, author_id, sha256, content_type, bytes, width, height)
        SELECT 7, (n << 10) | 7, 7, repeat('a', 64), 'image/png', 1, 1, 1 FROM generate_series(1, 2500) AS n;
        INSERT INTO photo_exif (shard, photo_id, exif)
        SELECT shard, id, jsonb_build_object('Model', id)
            || CASE WHEN id % 3 = 0 THEN '{}'::jsonb ELSE '{"GPS": {}}' END
        FROM photos"""
    )
    await migrate(postgres_dsn, folder=migrations_until(tmp_path, "0018"))
    stored = "SELECT count(*), count(*) FILTER (WHERE exif = jsonb_build_object('Model', photo_id)) FROM photo_exif"
    assert [tuple(row) for row in await connection.fetch(stored)] == [(ROWS, ROWS)]
    assert await connection.fetchval("SELECT location_metadata FROM users") == "off"
    await connection.close()


async def test_contents_that_are_there_have_no_rights(postgres_dsn: str, tmp_path: Path) -> None:
    """Images of earlier uploads stay as they are, without creator and licence; those of later ones may have them."""
    insert = "INSERT INTO contents (sha256, size, content_type) VALUES (repeat($1, 64), 1, 'image/png')"
    await migrate(postgres_dsn, folder=migrations_until(tmp_path, "0022"))
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute(insert, "a")
    await migrate(postgres_dsn)
    await connection.execute(insert, "b")
    rows = await connection.fetch("SELECT rights_withheld FROM contents ORDER BY sha256")
    assert [row["rights_withheld"] for row in rows] == [True, False]
    await connection.close()
