"""Each statement that the product sends in the tests' process is checked, whatever is between it and the driver."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from storage.postgres.database import Database
from tests.support.documents import ROOT
from tests.support.sent_statements import SentStatements, watched

pytestmark = pytest.mark.engines

FAULTY = "SELECT id FROM users WHERE id = $1"
RIGHT = "SELECT id FROM users WHERE shard = ($1::bigint & 1023)::integer AND id = $1"
UNLISTED = "/* all shards: never listed */ SELECT id FROM users WHERE bio = $1::bigint::text"


def function_of(path: str) -> Callable[[Any, str], Any]:
    """Return a function that reads from a database, as if its source were in a file."""
    names: dict[str, Any] = {}
    source = "async def read(db, sql):\n    return await db.fetch(sql, 1)\n"
    exec(compile(source, f"{ROOT}/{path}", "exec"), names)  # noqa: S102
    read: Callable[[Any, str], Any] = names["read"]
    return read


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> SentStatements:
    """Statements of this test alone, which the plugin does not see."""
    sent = SentStatements()
    method = inspect.unwrap(asyncpg.Connection.fetch)
    monkeypatch.setattr(asyncpg.Connection, "fetch", watched(method, sent))
    return sent


@pytest.mark.parametrize("path", ["storage/stores/x.py", "storage/postgres/outbox.py", "workers/x.py", "server/x.py"])
@pytest.mark.parametrize("in_transaction", [False, True])
async def test_a_statement_of_the_product(
    database: Database, sent: SentStatements, path: str, in_transaction: bool
) -> None:
    """It is checked once, at whatever depth below the function that passes it on."""
    read = function_of(path)
    for _ in range(2):
        if in_transaction:
            async with database.transaction() as tx:
                await read(tx, FAULTY)
        else:
            await read(database, FAULTY)
    await read(database, RIGHT)
    assert sent.texts == {FAULTY, RIGHT}
    assert sent.take_faults() == [f"users: its shard is not named\n    in {FAULTY}"]
    assert sent.take_faults() == []


@pytest.mark.parametrize("path", ["tests/x.py", "bench/x.py", "tests/support/x.py", "storage/postgres/migrate.py"])
async def test_a_statement_of_others(database: Database, sent: SentStatements, path: str) -> None:
    """Tests may send what they like, and migrations have rules of their own; the product may send the same later."""
    await function_of(path)(database, FAULTY)
    assert sent.texts == set()
    await function_of("storage/stores/x.py")(database, FAULTY)
    assert len(sent.take_faults()) == 1


async def test_a_statement_of_all_shards_that_is_not_listed(database: Database, sent: SentStatements) -> None:
    """The list of statements that ask all shards does not grow without being noticed."""
    await function_of("storage/stores/x.py")(database, UNLISTED)
    (fault,) = sent.take_faults()
    assert "scatters.toml does not list `all shards: never listed`" in fault
