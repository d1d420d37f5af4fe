"""The commands about originals in quarantine."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.administration import quarantine as administration
from server.config.settings import Settings
from storage.postgres.database import Database
from storage.stores.media import contents, quarantine

pytestmark = pytest.mark.engines

HASHES = ["ab" * 32, "cd" * 32]


async def test_originals_are_listed_and_released(database: Database, database_dsn: str, tmp_path: Path) -> None:
    """Each is listed until it is released; another name is refused."""
    settings = Settings().with_values("database", url=database_dsn).with_values("data", dir=tmp_path)
    assert await administration.find(settings) == []
    for sha256 in HASHES:
        await contents.acquire(database, sha256=sha256, size=7, content_type="image/png")
        async with database.transaction() as tx:
            await quarantine.add(tx, sha256)
            await quarantine.add(tx, sha256)
    assert [one.sha256 for one in await administration.find(settings)] == HASHES
    assert not await administration.release(settings, "ef" * 32)
    assert await administration.release(settings, f" {HASHES[0].upper()}")
    assert not await administration.release(settings, HASHES[0])
    assert [one.sha256 for one in await administration.find(settings)] == HASHES[1:]
    assert await contents.with_expired_leases(database, limit=9) == HASHES[:1]
