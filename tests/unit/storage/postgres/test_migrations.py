"""The decision which migrations are pending, without a database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from storage.errors import SchemaError
from storage.postgres.migrate import FOLDER, Migration, load, pending


def _migration(version: int, name: str, sha256: str = "a") -> Migration:
    return Migration(version=version, name=name, sql="", sha256=sha256)


ONE, TWO = _migration(1, "0001_one"), _migration(2, "0002_two")


def test_files_are_numbered_without_a_gap() -> None:
    """The project's migrations are numbered 1, 2, 3, … without a gap, and have names."""
    found = load(FOLDER)
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+", migration.name) for migration in found)


@pytest.mark.parametrize("name", ["0001_again.sql", "first.sql"])
def test_bad_numbers(tmp_path: Path, name: str) -> None:
    """A repeated or missing number is an error that names the file."""
    (tmp_path / "0001_a.sql").write_text("")
    (tmp_path / name).write_text("")
    with pytest.raises(SchemaError, match="needs a unique number"):
        load(tmp_path)


def test_pending() -> None:
    """Migrations that were not applied are pending, in the order of their numbers."""
    assert pending([ONE, TWO], {}) == [ONE, TWO]
    assert pending([ONE, TWO], {1: ("0001_one", "a")}) == [TWO]
    assert pending([ONE, TWO], {1: ("0001_one", "a"), 2: ("0002_two", "a")}) == []


def test_changed_and_unknown() -> None:
    """A changed file and an unknown migration are errors that name it."""
    with pytest.raises(SchemaError, match="0001_one"):
        pending([ONE], {1: ("0001_one", "b")})
    with pytest.raises(SchemaError, match="0002_two"):
        pending([ONE], {1: ("0001_one", "a"), 2: ("0002_two", "a")})
