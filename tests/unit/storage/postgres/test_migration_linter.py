"""The linter squawk on the migrations: statements that lock a table for long, or break the version before.

It finds what tests/support/migration_rules.py finds, and is written by others: what one of them misses, the other may
know.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from storage.postgres.migrate import FOLDER, NO_TRANSACTION, Migration, load
from tests.support.migration_rules import is_offline

# Rules that do not suit the way in which PicShare applies migrations.
EXCLUDED = {
    "require-lock-timeout": "storage/postgres/migrate.py sets it for each transaction, and repeats it",
    "require-statement-timeout": "what takes long holds no strong lock; an index may take hours to build",
    "prefer-robust-stmts": "a file is one transaction, or keeps the rules of those that are not",
    "prefer-bigint-over-int": "counters and sizes of single things are far below two thousand million",
    "prefer-bigint-over-smallint": "places in lists of at most ten",
}
# From before the rules, and those for which all processes are stopped.
EXEMPT = {5, 7, 8}
MIGRATIONS = load(FOLDER)


def squawk(*files: Path, in_transaction: bool) -> dict[str, set[str]]:
    """Return the names of the rules that each file breaks."""
    program = Path(sys.executable).with_name("squawk")
    options = ["--pg-version=15", "--reporter=json", f"--exclude={','.join(EXCLUDED)}"]
    options += ["--assume-in-transaction"] if in_transaction else []
    result = subprocess.run([program, *options, *files], capture_output=True, text=True, check=False)
    assert result.returncode in {0, 1}, result.stderr
    found: dict[str, set[str]] = {}
    for fault in json.loads(result.stdout):
        found.setdefault(Path(fault["file"]).stem, set()).add(fault["rule_name"])
    return found


def path_of(migration: Migration) -> Path:
    """Return the file of a migration."""
    return FOLDER / f"{migration.name}.sql"


@pytest.mark.parametrize("in_transaction", [True, False], ids=["transactions", "others"])
def test_the_linter_accepts_the_migrations(in_transaction: bool) -> None:
    """No file has a dangerous statement, except those that are exempt, each of which has one."""
    files = [each for each in MIGRATIONS if each.in_transaction is in_transaction]
    found = squawk(*map(path_of, files), in_transaction=in_transaction)
    excused = {each.name for each in files if each.version in EXEMPT or is_offline(each)}
    assert found.keys() == excused, found


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("CREATE INDEX a_b ON a (b);", "require-concurrent-index-creation"),
        ("DROP INDEX a_b;", "require-concurrent-index-deletion"),
        ("ALTER TABLE a ADD CONSTRAINT k CHECK (b > 0);", "constraint-missing-not-valid"),
        ("ALTER TABLE a ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES c (id);", "adding-foreign-key-constraint"),
        ("ALTER TABLE a ADD CONSTRAINT k UNIQUE (b);", "disallowed-unique-constraint"),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL;", "adding-required-field"),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint;", "changing-column-type"),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL;", "adding-not-nullable-field"),
        ("ALTER TABLE a RENAME COLUMN b TO c;", "renaming-column"),
        ("ALTER TABLE a DROP COLUMN b;", "ban-drop-column"),
        ("DROP TABLE a;", "ban-drop-table"),
        ("TRUNCATE a CASCADE;", "ban-truncate-cascade"),
    ],
)
def test_a_statement_that_would_lock_a_table_is_found(tmp_path: Path, sql: str, rule: str) -> None:
    """The linter names the rule of each dangerous statement."""
    file = tmp_path / "0099_x.sql"
    file.write_text(sql)
    assert rule in squawk(file, in_transaction=True).get("0099_x", set())


def test_an_index_outside_a_transaction_is_accepted(tmp_path: Path) -> None:
    """What is built concurrently locks nothing for long."""
    file = tmp_path / "0099_x.sql"
    file.write_text(
        f"{NO_TRANSACTION}DROP INDEX CONCURRENTLY IF EXISTS a_b;\nCREATE INDEX CONCURRENTLY a_b ON a (b);\n"
    )
    assert squawk(file, in_transaction=False) == {}
