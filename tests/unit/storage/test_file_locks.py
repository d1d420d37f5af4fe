"""Locks of files."""

from __future__ import annotations

import os
from pathlib import Path

from storage.file_locks import is_locked, open_lock, try_lock


def test_a_lock_ends_with_its_descriptor(tmp_path: Path) -> None:
    """A second descriptor does not get the lock until the first one is closed; a look does not take it."""
    path = tmp_path / "lock"
    first, second = open_lock(path), open_lock(path)
    assert not is_locked(path)
    assert try_lock(first)
    assert is_locked(path)
    assert not try_lock(second)
    os.close(first)
    assert not is_locked(path)
    assert try_lock(second)
    os.close(second)


def test_a_file_that_is_not_there_is_not_locked(tmp_path: Path) -> None:
    """To look at a lock does not create its file."""
    assert not is_locked(tmp_path / "lock")
    assert list(tmp_path.iterdir()) == []
