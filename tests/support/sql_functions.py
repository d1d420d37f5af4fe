"""Rules for functions in statements that change rows of distributed tables.

A cluster evaluates such a function once and sends the result, or refuses it, by its volatility. A test compares these
lists with the catalog of PostgreSQL; a function that is in none of them is a fault, so that it is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast

from tests.support.sql_nodes import children, function_name, has_column, is_sum, walk

IMMUTABLE = frozenset(
    [
        "abs",
        "array_agg",
        "array_append",
        "array_length",
        "array_position",
        "array_remove",
        "bool_and",
        "bool_or",
        "cardinality",
        "ceil",
        "chr",
        "count",
        "floor",
        "hashtextextended",
        "left",
        "log",
        "lower",
        "make_interval",
        "max",
        "min",
        "mod",
        "octet_length",
        "replace",
        "round",
        "row_number",
        "starts_with",
        "string_agg",
        "sum",
        "unnest",
        "upper",
    ]
)
STABLE = frozenset(
    [
        "age",
        "array_to_string",
        "concat",
        "concat_ws",
        "current_setting",
        "date_part",
        "date_trunc",
        "extract",
        "format",
        "jsonb_build_object",
        "now",
        "statement_timestamp",
        "to_char",
        "to_jsonb",
        "to_timestamp",
        "transaction_timestamp",
    ]
)
VOLATILE = frozenset(
    [
        "clock_timestamp",
        "currval",
        "gen_random_uuid",
        "nextval",
        "pg_notify",
        "pg_sleep",
        "random",
        "set_config",
        "setval",
        "timeofday",
    ]
)
_LOCKS = ("pg_advisory_lock", "pg_advisory_xact_lock", "pg_try_advisory_lock", "pg_try_advisory_xact_lock")
ADVISORY = frozenset(f"{name}{mode}" for name in _LOCKS for mode in ("", "_shared"))


def faults_of_change(statement: Any) -> Iterator[str]:
    """Yield the faults of an UPDATE or a DELETE of a distributed table; its CTEs are statements of their own."""
    parts = _parts(statement)
    for node in walk(parts):
        kind = _volatility(node)
        if kind == "unknown":
            yield f"the volatility of {function_name(node)}() is not known to the rules"
        elif kind == "volatile":
            yield f"{function_name(node)}() is volatile, which UPDATE and DELETE do not allow"
        elif kind == "stable" and has_column(node):
            yield f"{_name(node)} is stable and gets a column"
    yield from _faults_of_conditionals(parts)
    yield from _faults_of_returning(statement)


def faults_of_insert(statement: ast.InsertStmt) -> Iterator[str]:
    """Yield the faults of an INSERT into a distributed table; its values may be of any volatility."""
    yield from _faults_of_conditionals(statement.selectStmt)
    yield from _faults_of_returning(statement)
    for node in walk(statement.onConflictClause):
        if _volatility(node) not in (None, "immutable"):
            yield f"{_name(node)} is not immutable, which ON CONFLICT does not allow"


def _faults_of_conditionals(node: Any) -> Iterator[str]:
    for conditional in walk(node):
        if isinstance(conditional, ast.CaseExpr | ast.CoalesceExpr):
            for each in walk(conditional):
                if _volatility(each) not in (None, "immutable"):
                    yield f"{_name(each)} is not immutable, which CASE and COALESCE do not allow"


def _faults_of_returning(statement: Any) -> Iterator[str]:
    for node in walk(statement.returningClause):
        if _volatility(node) not in (None, "immutable"):
            yield f"{_name(node)} is not immutable, which RETURNING does not allow"


def _parts(statement: Any) -> list[Any]:
    return [child for child in children(statement) if not isinstance(child, ast.WithClause)]


def _volatility(node: Any) -> str | None:
    """Return immutable, stable, volatile or unknown; None for a node that calls no function."""
    match node:
        case ast.SQLValueFunction():
            return "stable"
        case ast.A_Expr() if is_sum(node) and (_is_interval(node.rexpr) or _is_interval(node.lexpr)):
            return "stable"  # of a time with time zone
        case ast.FuncCall():
            name = function_name(node)
            if name in ADVISORY or name in VOLATILE:
                return "volatile"
            return "stable" if name in STABLE else "immutable" if name in IMMUTABLE else "unknown"
        case _:
            return None


def _is_interval(node: Any) -> bool:
    match node:
        case ast.TypeCast():
            return bool(node.typeName.names[-1].sval == "interval")
        case ast.FuncCall():
            return function_name(node) == "make_interval"
        case ast.A_Expr():
            return not is_sum(node) and (_is_interval(node.lexpr) or _is_interval(node.rexpr))
        case _:
            return False


def _name(node: Any) -> str:
    match node:
        case ast.FuncCall():
            return f"{function_name(node)}()"
        case ast.SQLValueFunction():
            return "current_timestamp"
        case _:
            return "time plus interval"
