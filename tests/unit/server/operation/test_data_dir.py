"""The data directory: one holder, a private secret, and a note for other commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.errors import StartError
from server.operation.data_dir import is_locked, locked, read_run_file, read_secret, written_run_file


def test_a_second_holder_is_refused_with_the_process_and_a_remedy(tmp_path: Path) -> None:
    """While one PicShare holds a directory, another is told who does and what to do."""
    with (
        locked(tmp_path / "data"),
        pytest.raises(StartError, match=rf"process {os.getpid()}\).*--data"),
        locked(tmp_path / "data"),
    ):
        pass


def test_the_directory_is_free_again_afterwards(tmp_path: Path) -> None:
    """ShutdownOptions gives the directory back."""
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
    with locked(tmp_path):
        pass


def test_looking_at_the_lock_does_not_take_it(tmp_path: Path) -> None:
    """A directory that nobody ever held is free, and asking does not make it."""
    assert not is_locked(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """A path that cannot be a directory is named, with what can be done."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StartError, match=r"file/data cannot be written: Not a directory; .*--data"),
        locked(tmp_path / "file" / "data"),
    ):
        pass


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    """The secret stays the same, is long enough, and only its owner can read it."""
    first = read_secret(tmp_path)
    assert len(first) >= 48
    assert read_secret(tmp_path) == first
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_the_note_is_believed_only_while_the_directory_is_held(tmp_path: Path) -> None:
    """A note that a killed process left behind is not read."""
    with locked(tmp_path), written_run_file(tmp_path, {"database": "postgresql://x"}):
        assert read_run_file(tmp_path) == {"database": "postgresql://x"}
    with written_run_file(tmp_path, {"database": "stale"}):
        assert read_run_file(tmp_path) == {}
    assert not (tmp_path / "running.json").exists()
