"""The data directory: one PicShare at a time, a secret of its own, and a note on who runs there.

The lock is flock(2) on `<dir>/lock`: the kernel lets go of it when the process ends in whatever way.
The note in `<dir>/running.json` tells other commands how to reach the embedded engines meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from server.errors import StartError

SECRET_BYTES = 48
_NOTE = "running.json"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the data directory, making it if need be; raise `StartError` when it is not ours to have."""
    _make(directory)
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StartError(
                f"Another PicShare (process {_holder(descriptor)}) uses the data directory {directory}; "
                "stop it, or give this one another with --data."
            ) from error
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_locked(directory: Path) -> bool:
    """Tell whether a running PicShare holds the directory."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextmanager
def written_run_file(directory: Path, values: Mapping[str, str]) -> Iterator[None]:
    """Leave a note of how to reach what runs here, for as long as it does."""
    path = directory / _NOTE
    _write_private(path, json.dumps(dict(values)).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_run_file(directory: Path) -> dict[str, str]:
    """Return the note of the PicShare that holds the directory; empty when none does."""
    if not is_locked(directory):
        return {}
    try:
        values = json.loads((directory / _NOTE).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in values.items()}


def read_secret(directory: Path) -> str:
    """Return the secret that is kept in the directory, made on first use, readable by its owner alone."""
    path = directory / "secret"
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise StartError(f"The secret {path} cannot be read: {error.strerror}.") from error
    if not text:
        text = secrets.token_urlsafe(SECRET_BYTES)
        _write_private(path, text.encode())
    return text


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = directory / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise StartError(
            f"The data directory {directory.absolute()} cannot be written: {error.strerror}; "
            "mend its permissions, or name another with --data."
        ) from error


def _write_private(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(path)
    except OSError as error:
        raise StartError(f"{path} cannot be written: {error.strerror}.") from error


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
    return text or "unknown"
