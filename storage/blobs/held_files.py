"""Objects of a directory that are deleted while a backup copies them: they are moved aside until it ends.

A backup first dumps the database and then copies the objects that its rows name. An object that is deleted in between
would be missing in the copy. So the backup holds a lock and creates the directory `<root>/.held`; while both are there,
every process moves what it deletes into it. Without the lock the directory is left over from a backup that was killed,
and is ignored.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from storage.errors import UnavailableError
from storage.file_locks import is_locked, open_lock, try_lock

HELD = ".held"  # not the first part of any key
_LOCK = ".held.lock"
_LOCK_DEADLINE = 2.0  # seconds; a process that deletes has the lock for microseconds
_LOCK_PAUSE = 0.01


@contextmanager
def held_deletions(root: Path) -> Iterator[Path]:
    """Keep the objects that are deleted during the context, in the directory that is yielded; see `held_file`.

    They are deleted at its end. Raises `UnavailableError` while another process holds deletions in `root`.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = open_lock(root / _LOCK)
    held = root / HELD
    try:
        _lock(descriptor)
        _remove(held)
        held.mkdir(mode=0o700)
        _give(root, held, root / _LOCK)
        try:
            yield held
        finally:
            _remove(held)
    finally:
        os.close(descriptor)


def held_file(held: Path, key: str) -> Path:
    """Return where the object of a key is kept when it is deleted; its name is the key, without directories."""
    return held / quote(key, safe="")


def move_aside(root: Path, key: str) -> bool:
    """Move an object that is being deleted to the held ones; return False if none are held, or it is not there."""
    held = root / HELD
    if not held.is_dir() or not is_locked(root / _LOCK):
        return False
    try:
        (root / key).replace(held_file(held, key))
    except FileNotFoundError:
        # The object is gone, or the backup has just ended.
        return False
    return True


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _LOCK_DEADLINE
    while not try_lock(descriptor):
        if time.monotonic() > deadline:
            raise UnavailableError("blobs", "another backup of these images is running; wait for its end")
        time.sleep(_LOCK_PAUSE)


def _give(root: Path, *paths: Path) -> None:
    """Give files of an administrator to the owner of the store, whose processes move objects there."""
    owner = root.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        for path in paths:
            os.chown(path, owner.st_uid, owner.st_gid)


def _remove(held: Path) -> None:
    # Under another name nothing is moved into it any more.
    ended = held.with_name(f"{HELD}.ended")
    shutil.rmtree(ended, ignore_errors=True)
    if held.is_dir():
        held.rename(ended)
        shutil.rmtree(ended, ignore_errors=True)
