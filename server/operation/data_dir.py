"""The data directory: locked by one process at a time, with its secrets and a run file.

The lock is flock(2) on `<dir>/lock`, which the kernel releases however the process ends. The run file
`<dir>/running.json` has the addresses of the embedded engines for other commands while the process runs.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from server.errors import StartError
from storage import file_locks

SECRET_BYTES = 48
_RUN_FILE = "running.json"
_RESTORING = "restoring"  # exists while a backup is restored into the directory, and after it was interrupted
_LAST_BACKUP = "last_backup"  # the path of the last backup; written when it was complete


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Lock the data directory, creating it if necessary; raise `StartError` if that is not possible."""
    _create(directory)
    descriptor = file_locks.open_lock(directory / "lock")
    try:
        if not file_locks.try_lock(descriptor):
            raise StartError(
                f"Another PicShare (process {_holder(descriptor)}) uses the data directory {directory}; "
                "stop it, or name another directory with --data."
            )
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_locked(directory: Path) -> bool:
    """Return whether a running PicShare has locked the directory."""
    try:
        return file_locks.is_locked(directory / "lock")
    except OSError:
        return False


@contextmanager
def written_run_file(directory: Path, values: Mapping[str, str]) -> Iterator[None]:
    """Write the run file, and delete it on leaving."""
    path = directory / _RUN_FILE
    _write_private(path, json.dumps(dict(values)).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_run_file(directory: Path) -> dict[str, str]:
    """Return the run file of the PicShare that has locked the directory; empty if none has."""
    # A process that was killed leaves its run file behind, but not its lock.
    if not is_locked(directory):
        return {}
    try:
        values = json.loads((directory / _RUN_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in values.items()}


@contextmanager
def restoring(directory: Path) -> Iterator[None]:
    """Mark the directory as incomplete until the end of the context; see `require_complete`."""
    marker = directory / _RESTORING
    _write_private(marker, b"")
    yield
    marker.unlink(missing_ok=True)


def interrupted_restore(directory: Path) -> bool:
    """Return whether a restore into the directory was interrupted."""
    return (directory / _RESTORING).exists()


def require_complete(directory: Path) -> None:
    """Raise `StartError` if a restore into the directory was interrupted."""
    if interrupted_restore(directory):
        raise StartError(
            f"The data directory {directory} is incomplete, because `picshare restore` was interrupted; repeat it."
        )


def note_backup(directory: Path, path: Path) -> None:
    """Note that a backup is complete now, and where it is."""
    file, owner = directory / _LAST_BACKUP, directory.stat()
    _write_private(file, f"{path}\n".encode())
    if os.geteuid() == 0 and owner.st_uid != 0:
        # An administrator has made the backup of a service that runs as another user.
        os.chown(file, owner.st_uid, owner.st_gid)


def last_backup(directory: Path) -> tuple[datetime, str] | None:
    """Return when the last backup of the directory was complete, and where it was written; None if there is none."""
    path = directory / _LAST_BACKUP
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC), path.read_text().strip()
    except FileNotFoundError:
        return None


def read_secret(directory: Path) -> str:
    """Return the secret of the directory. It is generated on first use, readable by its owner only."""
    return _kept(directory / "secret", lambda: secrets.token_urlsafe(SECRET_BYTES))


def read_vapid_key(directory: Path, generate: Callable[[], str]) -> str:
    """Return the private key by which push services know the installation; it is generated as the secret is."""
    return _kept(vapid_key_file(directory), generate)


def vapid_key_file(directory: Path) -> Path:
    """Return the file of this key, which may not exist yet."""
    return directory / "vapid_key"


def _kept(path: Path, generate: Callable[[], str]) -> str:
    """Return the text of a file, which is generated if there is none."""
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise StartError(f"The secret {path} cannot be read: {error.strerror}.") from error
    if not text:
        text = generate()
        _write_private(path, text.encode())
    return text


def _create(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = directory / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"The data directory {directory.absolute()} is not writable: {error.strerror}; "
            "change its permissions, or name another directory with --data."
        ) from error


def _write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, atomically and durably."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}.") from error


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
    return text or "unknown"
