"""The data directory: its lock, its secret and its run file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.errors import StartError
from server.operation.data_dir import (
    is_locked,
    locked,
    read_run_file,
    read_secret,
    read_vapid_key,
    vapid_key_file,
    written_run_file,
)


def test_a_locked_directory_is_refused_with_the_process_and_a_remedy(tmp_path: Path) -> None:
    """If a directory is locked, the error names the process that has the lock, and the option to use another."""
    with (
        locked(tmp_path / "data"),
        pytest.raises(StartError, match=rf"process {os.getpid()}\).*--data"),
        locked(tmp_path / "data"),
    ):
        pass


def test_the_lock_is_released_on_leaving(tmp_path: Path) -> None:
    """After the context a directory can be locked again."""
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        pass


def test_reading_the_lock_does_not_create_it(tmp_path: Path) -> None:
    """A directory that was never locked is free, and reading its lock does not create it."""
    assert not is_locked(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_directory_that_cannot_be_created_is_one_sentence(tmp_path: Path) -> None:
    """The error names a path that cannot be a directory, and the option to use another."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StartError, match=r"file/data is not writable: Not a directory; .*--data"),
        locked(tmp_path / "file" / "data"),
    ):
        pass


def test_the_secret_is_generated_once_and_private(tmp_path: Path) -> None:
    """The secret stays the same, is long enough, and is readable by its owner only."""
    first = read_secret(tmp_path)
    assert len(first) >= 48
    assert read_secret(tmp_path) == first
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_the_key_of_push_messages_is_generated_once_and_private(tmp_path: Path) -> None:
    """As the secret is; a file that is there is kept, whatever it has."""
    assert read_vapid_key(tmp_path, lambda: "first") == "first"
    assert read_vapid_key(tmp_path, lambda: "second") == "first"
    assert vapid_key_file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_the_run_file_is_read_only_while_the_directory_is_locked(tmp_path: Path) -> None:
    """The run file that a killed process left behind is ignored."""
    with locked(tmp_path), written_run_file(tmp_path, {"database": "postgresql://x"}):
        assert read_run_file(tmp_path) == {"database": "postgresql://x"}
    with written_run_file(tmp_path, {"database": "stale"}):
        assert read_run_file(tmp_path) == {}
    assert not (tmp_path / "running.json").exists()
