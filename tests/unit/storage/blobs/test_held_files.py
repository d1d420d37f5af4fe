"""Objects that are deleted while a backup runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from storage.blobs.file import FileBlobs
from storage.blobs.held_files import HELD, held_deletions, held_file
from storage.errors import NotFoundError, UnavailableError

KEY = "original/aa/" + "a" * 64


async def stored(root: Path) -> FileBlobs:
    """Return a store with one object."""
    blobs = FileBlobs(root)
    await blobs.put(KEY, b"bytes", content_type="image/jpeg")
    return blobs


async def test_a_deleted_object_is_kept_until_the_end(tmp_path: Path) -> None:
    """The store does not have it any more, the backup finds it, and afterwards no file is left."""
    blobs = await stored(tmp_path)
    with held_deletions(tmp_path) as held:
        await blobs.delete([KEY])
        with pytest.raises(NotFoundError):
            await blobs.head(KEY)
        assert held_file(held, KEY).read_bytes() == b"bytes"
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size] == []


async def test_without_a_backup_nothing_is_kept(tmp_path: Path) -> None:
    """The directory that a killed backup left keeps nothing, since its lock is gone; the next backup removes it."""
    blobs = await stored(tmp_path)
    with held_deletions(tmp_path):
        pass
    left_over = tmp_path / HELD
    left_over.mkdir()
    (left_over / "old").write_bytes(b"deleted long ago")
    await blobs.delete([KEY])
    assert [path.name for path in left_over.iterdir()] == ["old"]
    assert not (tmp_path / KEY).exists()
    with held_deletions(tmp_path) as held:
        assert list(held.iterdir()) == []


async def test_a_backup_by_an_administrator_leaves_deletions_to_the_service(tmp_path: Path) -> None:
    """The directory and the lock belong to the owner of the store, who moves deleted objects there."""
    await stored(tmp_path)
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, 1234)
    with held_deletions(tmp_path) as held:
        owner = tmp_path.stat().st_uid
        assert [path.stat().st_uid for path in (held, tmp_path / ".held.lock")] == [owner, owner]


async def test_two_backups_at_once_are_refused(tmp_path: Path) -> None:
    """The second one is refused, and the first one goes on holding deletions."""
    blobs = await stored(tmp_path)
    with held_deletions(tmp_path) as held:
        with pytest.raises(UnavailableError, match="another backup"), held_deletions(tmp_path):
            pass
        await blobs.delete([KEY])
        assert held_file(held, KEY).exists()
