"""What the rules for statements assume is so in a migrated database."""

from __future__ import annotations

import re

import pytest

from storage.postgres.database import Database
from storage.postgres.migrate import FOLDER
from tests.support.distribution import DISTRIBUTED, LOCAL
from tests.support.sql_functions import ADVISORY, IMMUTABLE, STABLE, VOLATILE

pytestmark = pytest.mark.engines

_SHARD_CHECK = re.compile(r"CHECK \(\(shard = \(\w*id & .?1023")
_TABLES = """
    SELECT c.relname, array_agg(a.attname::text) AS columns
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY c.relname"""
_UNIQUE = """
    SELECT c.relname, i.indexrelid::regclass::text AS index,
        array(SELECT attname::text FROM pg_attribute WHERE attrelid = i.indrelid AND attnum = ANY(i.indkey)) AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE i.indisunique AND c.relnamespace = 'public'::regnamespace"""
_FOREIGN = """
    SELECT conname, conrelid::regclass::text AS child, confrelid::regclass::text AS parent, convalidated,
        array(SELECT a.attname::text FROM unnest(conkey) WITH ORDINALITY AS k (n, place)
            JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.n ORDER BY place) AS child_columns,
        array(SELECT a.attname::text FROM unnest(confkey) WITH ORDINALITY AS k (n, place)
            JOIN pg_attribute a ON a.attrelid = confrelid AND a.attnum = k.n ORDER BY place) AS parent_columns
    FROM pg_constraint WHERE contype = 'f'"""
_REFUSED = """
    SELECT 'identity of ' || attrelid::regclass || '.' || attname FROM pg_attribute
        WHERE attidentity <> '' AND attrelid::regclass::text = ANY($1)
    UNION ALL SELECT 'generated column ' || attrelid::regclass || '.' || attname FROM pg_attribute
        WHERE attgenerated <> '' AND attrelid::regclass::text = ANY($1)
    UNION ALL SELECT 'exclusion ' || conname FROM pg_constraint WHERE contype = 'x'
    UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY($1)
        -- It reads no table, so that its migration lets a cluster accept it.
        AND tgfoid <> 'refuse_change'::regproc
    UNION ALL SELECT 'invalid index ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid
    UNION ALL SELECT 'null in ' || attrelid::regclass || '.shard' FROM pg_attribute
        WHERE attname = 'shard' AND NOT attnotnull AND attrelid::regclass::text = ANY($1)"""
# Of overloads the least strict one counts: `extract` is immutable for some types, and stable for times with a zone.
_VOLATILITY = """
    SELECT proname::text, CASE WHEN bool_or(provolatile = 'v') THEN 'volatile' WHEN bool_or(provolatile = 's')
        THEN 'stable' ELSE 'immutable' END AS kind
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY($1) GROUP BY proname"""


def distributing_migrations() -> str:
    """Return the migrations that distribute tables, in their order."""
    texts = [path.read_text() for path in sorted(FOLDER.glob("*.sql"))]
    return "\n".join(text for text in texts if "create_distributed_table" in text)


async def test_every_table_is_known_with_its_column(database: Database) -> None:
    """The rules know each table of the migrated database, and the column by which it is distributed."""
    tables = {row["relname"]: row["columns"] for row in await database.fetch(_TABLES)}
    assert set(tables) == {*DISTRIBUTED, *LOCAL}
    assert [name for name, distribution in DISTRIBUTED.items() if distribution.column not in tables[name]] == []


def test_the_migration_distributes_the_same_tables() -> None:
    """The migrations distribute each table that the rules know, by the column that they know."""
    sql = distributing_migrations()
    listed = re.search(r"ARRAY\[(.*?)\]", sql, re.DOTALL)
    assert listed is not None
    by_shard = [*re.findall(r"create_distributed_table\('(\w+)', 'shard'", sql), *re.findall(r"'(\w+)'", listed[1])]
    others = dict(re.findall(r"create_distributed_table\('(\w+)', '(username|email|sha256|tag|subject)'", sql))
    assert {**dict.fromkeys(by_shard, "shard"), **others} == {name: each.column for name, each in DISTRIBUTED.items()}


async def test_a_row_in_a_wrong_shard_is_refused(database: Database) -> None:
    """The shard is that of an id in the row, where there is one; sessions have their tokens in their own shard."""
    without = {"refresh_tokens", "outbox", "dead_letters", "tag_recounts"}
    checks = "SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS text FROM pg_constraint"
    checked = {row["name"] for row in await database.fetch(checks) if _SHARD_CHECK.search(row["text"])}
    assert checked == {name for name, each in DISTRIBUTED.items() if each.column == "shard"} - without


async def test_every_unique_key_contains_the_distribution_column(database: Database) -> None:
    """Each server checks uniqueness among its own rows only, so a cluster refuses a key without the column."""
    for row in await database.fetch(_UNIQUE):
        if row["relname"] in DISTRIBUTED:
            assert DISTRIBUTED[row["relname"]].column in row["columns"], row["index"]


async def test_every_foreign_key_stays_on_its_server(database: Database) -> None:
    """The column takes part on both sides, at the same place, of tables that are placed together and in this order."""
    sql = distributing_migrations()
    for row in await database.fetch(_FOREIGN):
        if row["child"] in LOCAL:
            assert row["parent"] in LOCAL, row["conname"]
            continue
        child, parent = DISTRIBUTED[row["child"]], DISTRIBUTED[row["parent"]]
        assert child.group == parent.group, row["conname"]
        assert (child.column, parent.column) in zip(row["child_columns"], row["parent_columns"], strict=True)
        assert sql.index(f"'{row['parent']}'") < sql.index(f"'{row['child']}'"), row["conname"]
        assert row["convalidated"], row["conname"]


async def test_nothing_is_left_that_a_cluster_refuses(database: Database) -> None:
    """Neither sequences of columns, which differ from server to server, nor triggers, exclusions and half indexes."""
    assert [row[0] for row in await database.fetch(_REFUSED, list(DISTRIBUTED))] == []


async def test_the_volatility_of_functions(database: Database) -> None:
    """The rules know functions by the volatility that PostgreSQL gives them."""
    known = {
        **dict.fromkeys(IMMUTABLE, "immutable"),
        **dict.fromkeys(STABLE, "stable"),
        **dict.fromkeys(VOLATILE | ADVISORY, "volatile"),
    }
    found = {row["proname"]: row["kind"] for row in await database.fetch(_VOLATILITY, list(known))}
    assert found == known
