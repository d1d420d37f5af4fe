"""The migration runner in a real, empty database."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
import unicodedata
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import structlog

from storage import texts
from storage.errors import ConflictError, ConnectionLostError, SchemaError, UnavailableError
from storage.postgres.database import Database
from storage.postgres.migrate import FOLDER, LockWaits, check, migrate
from storage.stores.notifications import notification_drift
from tests.support.eventually import eventually
from workers.broker.routing import queues_of

pytestmark = pytest.mark.engines

_numbers = itertools.count(1)


@pytest.fixture
async def empty_dsn(postgres_dsn: str) -> AsyncIterator[str]:
    """The DSN of an empty database."""
    name = f"empty_{next(_numbers)}"
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    yield postgres_dsn.replace("/picshare?", f"/{name}?")
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def empty(empty_dsn: str) -> AsyncIterator[Database]:
    """A database without a schema."""
    database = await Database.connect(empty_dsn, routes=queues_of, min_size=1, max_size=2)
    yield database
    await database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two small migrations."""
    (tmp_path / "0001_one.sql").write_text("CREATE TABLE one (id integer); INSERT INTO one VALUES (1);")
    (tmp_path / "0002_two.sql").write_text("ALTER TABLE one ADD COLUMN name text;")
    return tmp_path


async def test_the_real_schema_fits(empty: Database, empty_dsn: str) -> None:
    """Before the migration the check names the command; afterwards it passes and nothing is left to apply."""
    with pytest.raises(SchemaError, match="picshare migrate"):
        await check(empty)
    applied = await migrate(empty_dsn)
    assert applied == sorted(path.stem for path in FOLDER.glob("*.sql"))
    await check(empty)
    assert await migrate(empty_dsn) == []


async def test_two_at_once(empty: Database, empty_dsn: str, folder: Path) -> None:
    """Concurrent runs apply each file once."""
    applied = await asyncio.gather(*(migrate(empty_dsn, folder=folder) for _ in range(4)))
    assert sorted(applied) == [[], [], [], ["0001_one", "0002_two"]]
    assert await empty.fetchval("SELECT count(*) FROM one") == 1


async def test_failing_file_leaves_nothing(empty: Database, empty_dsn: str, folder: Path) -> None:
    """A file that fails is rolled back and named, and earlier ones stay; once corrected, it is applied."""
    (folder / "0002_two.sql").write_text("CREATE TABLE two (id integer); SELECT * FROM nowhere;")
    with pytest.raises(SchemaError, match="0002_two"):
        await migrate(empty_dsn, folder=folder)
    assert await empty.fetchval("SELECT to_regclass('two')::text") is None
    (folder / "0002_two.sql").write_text("CREATE TABLE two (id integer);")
    assert await migrate(empty_dsn, folder=folder) == ["0002_two"]


async def test_file_and_its_record_are_one(empty: Database, empty_dsn: str, folder: Path) -> None:
    """A file whose record cannot be written is rolled back with it."""
    claimed = "INSERT INTO schema_migrations (version, name, sha256) VALUES (2, 'twice', '')"
    (folder / "0002_two.sql").write_text(f"CREATE TABLE two (id integer); {claimed};")
    with pytest.raises(ConflictError):
        await migrate(empty_dsn, folder=folder)
    assert await empty.fetchval("SELECT to_regclass('two')::text") is None


async def test_changed_file(empty: Database, empty_dsn: str, folder: Path) -> None:
    """A file that has changed since it was applied is named by the check and by another run."""
    await migrate(empty_dsn, folder=folder)
    (folder / "0001_one.sql").write_text("CREATE TABLE other (id integer);")
    with pytest.raises(SchemaError, match="0001_one"):
        await migrate(empty_dsn, folder=folder)
    with pytest.raises(SchemaError, match="0001_one"):
        await check(empty, folder=folder)


async def test_older_and_newer_schema(empty: Database, empty_dsn: str, folder: Path) -> None:
    """The errors for an older and a newer schema differ, and both name the command."""
    second = (folder / "0002_two.sql").read_text()
    (folder / "0002_two.sql").unlink()
    await migrate(empty_dsn, folder=folder)
    (folder / "0002_two.sql").write_text(second)
    with pytest.raises(SchemaError, match=r"older.*0002_two.*picshare migrate"):
        await check(empty, folder=folder)
    await migrate(empty_dsn, folder=folder)
    (folder / "0002_two.sql").unlink()
    with pytest.raises(SchemaError, match=r"newer.*0002_two.*picshare migrate"):
        await check(empty, folder=folder)
    with pytest.raises(SchemaError, match="newer"):
        await migrate(empty_dsn, folder=folder)


PHOTOS = """
INSERT INTO users (id, username, email, password_hash, display_name) VALUES (1, 'ann', 'a@example.org', '-', 'Ann');
INSERT INTO photos (id, author_id, sha256, content_type, bytes, width, height, deleted_at)
SELECT id << 10 | 1, 1, repeat(digit, 64), 'image/png', 9, 1, 1, CASE WHEN deleted THEN now() END
FROM (VALUES (1, 'a', false), (2, 'a', true), (3, 'b', true), (4, 'b', true)) AS v (id, digit, deleted);
"""


async def test_contents_of_an_existing_installation(empty: Database, empty_dsn: str, tmp_path: Path) -> None:
    """Originals of photos are stored contents; those of deleted photos alone are left to the janitor to remove."""
    for path in sorted(FOLDER.glob("*.sql"))[:2]:
        shutil.copy(path, tmp_path)
    await migrate(empty_dsn, folder=tmp_path)
    async with empty.connection() as connection:
        await connection.execute(PHOTOS)
    await migrate(empty_dsn)
    rows = await empty.fetch("SELECT left(sha256, 1) AS digit, size, content_type, state FROM contents ORDER BY sha256")
    assert [tuple(row) for row in rows] == [("a", 9, "image/png", "stored"), ("b", 9, "image/png", "deleting")]


async def test_tags_of_an_existing_installation_are_folded(empty: Database, empty_dsn: str, tmp_path: Path) -> None:
    """Stored tags take the form in which they are looked up now, each once and in their order; others stay."""
    for path in sorted(FOLDER.glob("*.sql")):
        if path.stem < "0006":
            shutil.copy(path, tmp_path)
    await migrate(empty_dsn, folder=tmp_path)
    letters = [chr(number) for number in range(0x80, 0x110000) if not 0xD800 <= number <= 0xDFFF]
    lower = {unicodedata.normalize("NFKC", letter).lower() for letter in letters if not texts.is_blank(letter)}
    singles = sorted(
        letter for letter in lower if len(letter) == 1 and letter.isalnum() and texts.tag(letter) != letter
    )
    stored = [["sea", "straße", "strasse", "ς", "x"], ["sea"], *([f"a{letter}b"] for letter in singles)]
    async with empty.connection() as connection:
        await connection.execute(PHOTOS)
        await connection.execute("UPDATE photos SET deleted_at = NULL")
        await connection.execute(
            "INSERT INTO photos (id, author_id, sha256, content_type, bytes, width, height) "
            "SELECT n << 10 | 1, 1, repeat('c', 64), 'image/png', 9, 1, 1 FROM generate_series(100, $1::int) AS n",
            99 + len(stored),
        )
        for number, tags in enumerate(stored, 100):
            await connection.execute("UPDATE photos SET tags = $2 WHERE id = $1", number << 10 | 1, tags)
            await connection.execute(
                "INSERT INTO photo_tags (photo_id, tag) SELECT $1, tag FROM unnest($2::text[]) AS tag",
                number << 10 | 1,
                tags,
            )
    await migrate(empty_dsn)
    rows = await empty.fetch(
        "SELECT tags, ARRAY(SELECT tag FROM photo_tags WHERE photo_id = p.id) AS indexed FROM photos p "
        "WHERE id >= 100 << 10 ORDER BY id"
    )
    expected = [list(dict.fromkeys(map(texts.tag, tags))) for tags in stored]
    assert len(singles) > 100
    assert [row["tags"] for row in rows] == expected
    assert [sorted(row["indexed"]) for row in rows] == [sorted(tags) for tags in expected]


ACTORS = """
INSERT INTO users (id, username, email, password_hash, display_name)
SELECT i, 'u' || i, 'u' || i, '-', '' FROM generate_series(1, 9) AS i;
INSERT INTO notifications (id, user_id, kind, photo_id, position, people)
SELECT entry << 10 | 1, 1, kind, photo, entry, people
FROM (VALUES (1, 'like', 7, 4), (2, 'comment', 7, 2), (3, 'like', 8, 0), (4, 'photo_rejected', 9, 0)
) AS v (entry, kind, photo, people);
INSERT INTO notification_actors (notification_id, actor_id, source_id, created_at, retracted_at)
SELECT entry << 10 | 1, actor, source, now() + minutes * interval '1 minute', CASE WHEN retracted THEN now() END
FROM (VALUES (1, 2, 7, 1, false), (1, 3, 7, 4, false), (1, 4, 7, 2, false), (1, 5, 7, 2, false), (1, 6, 7, 9, true),
    (2, 2, 21, 1, false), (2, 3, 22, 2, false), (2, 2, 23, 3, false), (3, 2, 8, 1, true)
) AS v (entry, actor, source, minutes, retracted);
"""


async def test_the_newest_actors_of_an_existing_installation(empty: Database, empty_dsn: str, tmp_path: Path) -> None:
    """Each notification gets its newest three actors, each once, without retracted ones; nothing else changes."""
    for path in sorted(FOLDER.glob("*.sql")):
        if path.stem < "0007":
            shutil.copy(path, tmp_path)
    await migrate(empty_dsn, folder=tmp_path)
    async with empty.connection() as connection:
        await connection.execute(ACTORS)
    await migrate(empty_dsn)
    rows = await empty.fetch("SELECT people, newest_actors FROM notifications ORDER BY id")
    assert [tuple(row) for row in rows] == [(4, [3, 5, 4]), (2, [2, 3]), (0, []), (0, [])]
    assert (await notification_drift.check(empty, after=0, limit=9)).wrong == []


ONLINE = {
    # What an installation would go through for a unique column that must be filled for existing rows.
    "0001_table": "CREATE TABLE item (id integer PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 5);",
    "0002_column": "ALTER TABLE item ADD COLUMN name text;",
    "0003_fill": """-- no-transaction
-- In batches; the semicolons in this comment; and in the texts below end no statement.
DO $$
BEGIN
    LOOP
        UPDATE item SET name = 'item;' || id WHERE id IN (SELECT id FROM item WHERE name IS NULL LIMIT 2);
        EXIT WHEN NOT FOUND;
        COMMIT;
    END LOOP;
END $$;
""",
    "0004_index": """-- no-transaction
DROP INDEX CONCURRENTLY IF EXISTS item_name_key;
CREATE UNIQUE INDEX CONCURRENTLY item_name_key ON item (name);
""",
    "0005_check": "ALTER TABLE item ADD CONSTRAINT item_named CHECK (name IS NOT NULL) NOT VALID;",
    "0006_validate": "ALTER TABLE item VALIDATE CONSTRAINT item_named;",
}


@pytest.fixture
def online(tmp_path: Path) -> Path:
    """Migrations that change a table while it is used, some of them outside a transaction."""
    for name, sql in ONLINE.items():
        (tmp_path / f"{name}.sql").write_text(sql)
    return tmp_path


async def _assert_complete(database: Database) -> None:
    assert await database.fetchval("SELECT array_agg(name ORDER BY version) FROM schema_migrations") == list(ONLINE)
    assert await database.fetchval("SELECT array_agg(name ORDER BY id) FROM item") == [f"item;{n}" for n in range(1, 6)]
    assert await database.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = 'item_name_key'::regclass")
    assert await database.fetchval("SELECT convalidated FROM pg_constraint WHERE conname = 'item_named'")


async def test_statements_outside_a_transaction(empty: Database, empty_dsn: str, online: Path) -> None:
    """Marked files run statement by statement, also for several calls at once: an index is built concurrently."""
    applied = await asyncio.gather(*(migrate(empty_dsn, folder=online) for _ in range(3)))
    assert sorted(applied) == [[], [], list(ONLINE)]
    await _assert_complete(empty)


async def test_a_migration_that_is_killed_at_any_step_is_continued(
    empty: Database, empty_dsn: str, online: Path
) -> None:
    """Before whatever statement SIGKILL comes, the next run completes the migrations."""
    command = [sys.executable, "-m", "tests.support.killed_migrations", str(online)]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    admin = await asyncpg.connect(empty_dsn)
    for step in itertools.count(1):
        process.stdin.write(f"{step} {empty_dsn}\n".encode())
        if await process.stdout.readline() == b"done\n":
            break
        await migrate(empty_dsn, folder=online)
        await _assert_complete(empty)
        await admin.execute("DROP TABLE item, schema_migrations")
    await _assert_complete(empty)
    assert step > 25  # settings, table, five statements for each transaction, two or three for each other file
    await admin.close()
    process.stdin.close()
    assert await process.wait() == 0


async def test_an_index_whose_build_was_cut_is_built_again(empty: Database, empty_dsn: str, online: Path) -> None:
    """A session that ends within CREATE INDEX CONCURRENTLY leaves an invalid index, which the next run replaces."""
    (online / "0004_index.sql").rename(online / "later")
    await migrate(empty_dsn, folder=online)
    (online / "later").rename(online / "0004_index.sql")
    admin = await asyncpg.connect(empty_dsn)
    reader = await asyncpg.connect(empty_dsn)
    async with reader.transaction(isolation="repeatable_read"):
        await reader.fetch("SELECT * FROM item")  # the build waits for this snapshot
        building = asyncio.create_task(migrate(empty_dsn, folder=online))
        pid = await eventually(
            lambda: admin.fetchval(
                "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE UNIQUE INDEX%' AND wait_event_type = 'Lock'"
            )
        )
        await admin.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(ConnectionLostError):
            await building
    invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
    assert await empty.fetchval(invalid) == 1
    assert await migrate(empty_dsn, folder=online) == ["0004_index"]
    assert await empty.fetchval(invalid) == 0
    await reader.close()
    await admin.close()


async def test_readers_pass_a_migration_that_waits(empty: Database, empty_dsn: str, folder: Path) -> None:
    """A table in use by a long transaction is changed after it; other readers wait for one attempt at most."""
    second = (folder / "0002_two.sql").read_text()
    (folder / "0002_two.sql").unlink()
    await migrate(empty_dsn, folder=folder)
    (folder / "0002_two.sql").write_text(second)
    user = await asyncpg.connect(empty_dsn)
    waits = LockWaits(timeout=0.05, first_pause=0.05, longest_pause=0.05, attempts=10_000)
    with structlog.testing.capture_logs() as events:
        async with user.transaction():
            await user.fetch("SELECT * FROM one")
            migrating = asyncio.create_task(migrate(empty_dsn, folder=folder, waits=waits))
            await eventually(lambda: len(events) >= 3)
            # Each query would wait until the end of this transaction if the migration did.
            for _ in range(5):
                assert await empty.fetchval("SELECT count(*) FROM one") == 1
        assert await migrating == ["0002_two"]
    assert {event["event"] for event in events} == {"migration_waits"}
    await user.close()


async def test_a_table_that_stays_locked_is_an_outage(empty: Database, empty_dsn: str, folder: Path) -> None:
    """After the last attempt the error names the migration and the session that most likely has the lock."""
    second = (folder / "0002_two.sql").read_text()
    (folder / "0002_two.sql").unlink()
    await migrate(empty_dsn, folder=folder)
    (folder / "0002_two.sql").write_text(second)
    user = await asyncpg.connect(empty_dsn)
    async with user.transaction():
        await user.fetch("SELECT * FROM one")
        waits = LockWaits(timeout=0.01, first_pause=0.01, attempts=3)
        with pytest.raises(UnavailableError) as caught:
            await migrate(empty_dsn, folder=folder, waits=waits)
    assert "0002_two found its tables locked 3 times" in str(caught.value)
    assert f"process {await user.fetchval('SELECT pg_backend_pid()')} (idle in transaction, 0 s)" in str(caught.value)
    await user.close()


async def test_nobody_answers(tmp_path: Path) -> None:
    """A missing server is an outage."""
    with pytest.raises(UnavailableError):
        await migrate(f"postgresql:///picshare?host={tmp_path}&user=picshare")
