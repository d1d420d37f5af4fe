"""The project's migrations keep the rules, and each rule finds its violation."""

from __future__ import annotations

import pglast
import pytest

from storage.postgres.migrate import FOLDER, Migration, load
from storage.postgres.sql_statements import split
from tests.support.documents import ROOT
from tests.support.migration_rules import faults, is_offline

# From before the rules. Applied files must not change any more; the next ones have no excuse.
EXEMPT = {
    4: "sets erased_at of the accounts that were deleted, a few rows",
    5: "replaces an index of notifications under a lock",
    6: "folds the tags of photos that have such letters, a few rows",
    7: "builds an index of, and fills a column of, all notifications under a lock",
    8: "replaces an index of comments under a lock",
}
MIGRATIONS = load(FOLDER)


def make(sql: str, *, version: int = 9) -> Migration:
    """Return a migration with this text."""
    return Migration(version=version, name=f"{version:04}_x", sql=sql, sha256="")


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda migration: migration.name)
def test_the_project_s_migrations_keep_the_rules(migration: Migration) -> None:
    """A migration may be applied while the version before serves; files from before the rules are exempt."""
    found = faults(migration, MIGRATIONS[: migration.version - 1])
    assert bool(found) == (migration.version in EXEMPT), found


@pytest.mark.parametrize("migration", [each for each in MIGRATIONS if is_offline(each)], ids=lambda each: each.name)
def test_operators_know_before_which_migrations_they_stop_processes(migration: Migration) -> None:
    """The chapter on upgrades and the changes name each migration for which the version before must be stopped."""
    for document in ("docs/upgrade.md", "CHANGELOG.md"):
        assert f"{migration.version:04}" in (ROOT / document).read_text()


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("ALTER TABLE a ADD COLUMN b uuid DEFAULT gen_random_uuid()", "differs from row to row"),
        ("ALTER TABLE a ADD COLUMN b timestamptz DEFAULT clock_timestamp()", "differs from row to row"),
        ("ALTER TABLE a ADD COLUMN b bigserial", "differs from row to row"),
        ("ALTER TABLE a ADD COLUMN b text NOT NULL", "breaks the inserts"),
        ("ALTER TABLE a ADD COLUMN b text UNIQUE", "CONSTR_UNIQUE"),
        ("ALTER TABLE a ADD COLUMN b text CHECK (b <> '')", "CONSTR_CHECK"),
        ("ALTER TABLE a ADD COLUMN b bigint REFERENCES c", "CONSTR_FOREIGN"),
        ("ALTER TABLE a ADD COLUMN b bigint GENERATED ALWAYS AS IDENTITY", "CONSTR_IDENTITY"),
        ("ALTER TABLE a ADD COLUMN b bigint GENERATED ALWAYS AS (id + 1) STORED", "CONSTR_GENERATED"),
        ("ALTER TABLE a ADD CONSTRAINT k CHECK (b <> '')", "NOT VALID"),
        ("ALTER TABLE a ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES c", "NOT VALID"),
        ("ALTER TABLE a ADD CONSTRAINT k UNIQUE (b)", "USING INDEX"),
        ("ALTER TABLE a ADD PRIMARY KEY (b)", "USING INDEX"),
        ("ALTER TABLE a ADD CONSTRAINT k EXCLUDE USING gist (b WITH &&)", "CONSTR_EXCLUSION is not known"),
        (
            "ALTER TABLE a ADD CONSTRAINT k CHECK (b > 0) NOT VALID; ALTER TABLE a VALIDATE CONSTRAINT k",
            "file of its own",
        ),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL", "validate CHECK"),
        ("ALTER TABLE a ALTER COLUMN b TYPE bigint", "change of type"),
        ("ALTER TABLE a SET UNLOGGED", "AT_SetUnLogged is not known"),
        ("ALTER TABLE a RENAME COLUMN b TO c", "RENAME"),
        ("ALTER TABLE a RENAME TO b", "RENAME"),
        ("ALTER TYPE a RENAME VALUE 'b' TO 'c'", "is not known"),
        ("ALTER TABLE a DROP COLUMN b", "DROP breaks"),
        ("DROP TABLE a", "DROP breaks"),
        ("DROP INDEX a_b", "CONCURRENTLY"),
        ("CREATE INDEX ON a (b)", "CONCURRENTLY"),
        ("CREATE INDEX CONCURRENTLY a_b ON a (b)", "needs a no-transaction file"),
        ("UPDATE a SET b = 1", "in batches"),
        ("DELETE FROM a", "in batches"),
        ("INSERT INTO a SELECT * FROM c", "in batches"),
        ("LOCK TABLE a", "LockStmt is not known"),
        ("TRUNCATE a", "TruncateStmt is not known"),
        ("VACUUM FULL a", "VacuumStmt is not known"),
        ("-- no-transaction\nCREATE INDEX a_b ON a (b)", "CONCURRENTLY"),
        ("-- no-transaction\nCREATE INDEX CONCURRENTLY a_b ON a (b)", "invalid index"),
        (
            "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS b; CREATE INDEX CONCURRENTLY c ON a (b)",
            "invalid index",
        ),
        (
            "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS c; CREATE INDEX CONCURRENTLY IF NOT EXISTS c ON a(b)",
            "invalid index",
        ),
        ("-- no-transaction\nDROP INDEX CONCURRENTLY a_b", "can be repeated"),
        ("-- no-transaction\nDROP INDEX IF EXISTS a_b", "can be repeated"),
        ("-- no-transaction\nALTER TABLE a ADD COLUMN b text", "belongs into a file that is a transaction"),
        ("-- no-transaction\nUPDATE a SET b = 1", "belongs into a file that is a transaction"),
        ("-- no-transaction\n-- offline: no\nUPDATE a SET b = 1", "belongs into a file that is a transaction"),
        ("-- online: no\nUPDATE a SET b = 1", "in batches"),
        ("-- offline:\nUPDATE a SET b = 1", "in batches"),
        ("-- offline: new keys\nCREATE INDEX CONCURRENTLY a_b ON a (b)", "no-transaction file"),
        ("-- offline: new keys\nDROP INDEX CONCURRENTLY a_b", "no-transaction file"),
        ("-- offline: new keys\nDO $$ BEGIN UPDATE a SET b = 1; COMMIT; END $$", "file of its own"),
        ("-- offline: new keys\nALTER TABLE a VALIDATE CONSTRAINT k", "needs no stop"),
    ],
)
def test_a_violation_is_found(sql: str, part: str) -> None:
    """Each statement that holds a lock for long or breaks the version before is one fault."""
    (fault,) = faults(make(sql))
    assert part in fault


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE a ADD COLUMN b text, ADD COLUMN c boolean NOT NULL DEFAULT false",
        "ALTER TABLE a ADD COLUMN b timestamptz NOT NULL DEFAULT now(), ADD COLUMN c bigint[] DEFAULT '{}'::bigint[]",
        "ALTER TABLE a ADD CONSTRAINT k CHECK (b > 0) NOT VALID",
        "ALTER TABLE a ADD CONSTRAINT k UNIQUE USING INDEX a_b",
        "ALTER TABLE a VALIDATE CONSTRAINT k; ALTER TABLE c VALIDATE CONSTRAINT l",
        "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1, ALTER COLUMN c DROP NOT NULL, DROP CONSTRAINT k",
        "-- contract: not read since 0.3\nALTER TABLE a DROP COLUMN b; DROP TABLE c",
        "CREATE TABLE a (b text UNIQUE); CREATE INDEX ON a (b); INSERT INTO a SELECT b FROM c; UPDATE a SET b = 1",
        "CREATE TEMPORARY TABLE a AS SELECT 1 AS b; ALTER TABLE a ALTER b TYPE bigint, ALTER b SET NOT NULL",
        "-- no-transaction\nDROP INDEX CONCURRENTLY IF EXISTS a_b; CREATE UNIQUE INDEX CONCURRENTLY a_b ON a (b)",
        "-- no-transaction\nDO $$ BEGIN UPDATE a SET b = 1; COMMIT; END $$; DROP INDEX CONCURRENTLY IF EXISTS c",
        "-- offline: new keys\nLOCK TABLE a; DELETE FROM a; DROP INDEX a_b; ALTER TABLE a RENAME TO c; DROP TABLE d",
    ],
)
def test_what_is_allowed(sql: str) -> None:
    """Expansions that hold a lock for a moment only, contractions that are stated, and tables that nobody uses yet."""
    assert faults(make(sql)) == []


def test_a_column_becomes_not_null_in_three_files() -> None:
    """SET NOT NULL needs a check of the same column, validated in an earlier file."""
    check = make("ALTER TABLE a ADD CONSTRAINT k CHECK (b IS NOT NULL) NOT VALID", version=1)
    validation = make("ALTER TABLE a VALIDATE CONSTRAINT k", version=2)
    last = make("ALTER TABLE a ALTER COLUMN b SET NOT NULL; ALTER TABLE a DROP CONSTRAINT k", version=3)
    assert faults(last, [check, validation]) == []
    assert faults(last, [check])
    assert faults(make("ALTER TABLE a ALTER COLUMN c SET NOT NULL"), [check, validation])


TEXTS = [
    *(migration.sql for migration in MIGRATIONS),
    "SELECT ';', E'\\';', $$;$$, $x$ ; $$ ; $x$, \"a;b\" /* ; */ -- ;\n; SELECT a$b$c FROM t; ; SELECT $1",
    "-- a; comment\n/* and; another */ SELECT 'it''s; ' || 'x' ; -- the end;",
    "",
]


@pytest.mark.parametrize("sql", TEXTS)
def test_statements_are_split_as_by_postgresql(sql: str) -> None:
    """Our splitter, which needs no parser in production, agrees with PostgreSQL's."""
    assert [*map(pglast.fingerprint, split(sql))] == [*map(pglast.fingerprint, pglast.split(sql))]
