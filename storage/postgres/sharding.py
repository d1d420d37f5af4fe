"""The shard in SQL: every statement names the shard of each table that it reads or writes.

A row is in the shard of the user it belongs to; a photo and its likes, comments and tags are in that of its author. The
shard is in the low ten bits of these ids, so it is computed from a parameter of the statement, and needs none of its
own. On a cluster (Citus) a statement whose tables all name one shard is sent to the one server that has it. Without the
shard in each table and each subquery it would be sent to all. On one PostgreSQL the condition costs nothing: the keys
begin with the id.

A statement about many users or photos names the list of their shards; it is sent to those.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage import ids


def shard(identifier: str) -> str:
    """Return the SQL expression for the shard of an id, itself an SQL expression such as `$1`."""
    return f"({identifier}::bigint & {ids.SHARDS - 1})::integer"


def shards(identifiers: Iterable[int]) -> list[int]:
    """Return the shards of ids, each once and sorted, as the parameter of `shard = ANY($1::integer[])`."""
    return sorted({ids.shard_of(identifier) for identifier in identifiers})
