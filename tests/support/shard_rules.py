"""Rules for the statements of the product, so that each runs on a cluster and most are sent to one server.

Every distributed table (`tests.support.distribution`) has to be bound, in each query level of a statement: its
distribution column is compared with an expression of parameters (`=`, one shard), with a list (`= ANY`), or with the
same column of a table of its level that is bound. Only in a statement about a list may a subquery compare it with a
table outside.

What asks all shards begins with the comment `/* all shards: <reason> */`. It must still join tables by their shards,
and locks nothing. What concerns one server, or never runs on a cluster, begins with `/* one server: <reason> */`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import SetOperation

from tests.support.distribution import DISTRIBUTED
from tests.support.query_levels import Part
from tests.support.sql_functions import ADVISORY, faults_of_change, faults_of_insert
from tests.support.sql_nodes import children, column_path, function_name, own, walk

MARK = re.compile(r"\s*/\* (all shards|one server): (\S[^*]*) \*/")
_AGGREGATES = {"array_agg", "bool_and", "bool_or", "count", "jsonb_agg", "max", "min", "string_agg", "sum"}
_CHANGES = ast.InsertStmt | ast.UpdateStmt | ast.DeleteStmt


def mark(sql: str) -> tuple[str, str] | None:
    """Return ("all shards" or "one server", the reason) of a statement that begins with such a comment."""
    found = MARK.match(sql)
    return None if found is None else (found[1], found[2])


def faults(sql: str) -> list[str]:
    """Return a sentence for each violation in the text of a statement, or of several."""
    kind = (mark(sql) or ("", ""))[0]
    statements = [raw.stmt for raw in parse_sql(sql)]
    unmarked = [fault for statement in statements for fault in _faults(statement, scattered=False)]
    if not kind:
        return unmarked
    if not unmarked:
        return [f"the comment `{kind}` is not needed"]
    return [] if kind == "one server" else [f for each in statements for f in _faults(each, scattered=True)]


def _faults(statement: Any, *, scattered: bool) -> list[str]:
    if isinstance(statement, ast.MergeStmt):
        return ["MERGE is not known to the rules"]
    if not isinstance(statement, ast.SelectStmt | _CHANGES):
        return []  # BEGIN, SET, LISTEN: the coordinator's own
    found = [*_faults_of_text(statement), *_faults_of_part(statement, frozenset(), scattered=scattered)]
    return list(dict.fromkeys(found))


def _faults_of_text(statement: Any) -> Iterator[str]:
    """Check what does not depend on the tables of a query level."""
    for node in walk(statement):
        match node:
            case ast.SelectStmt() if not (node.targetList or node.valuesLists) and node.op == SetOperation.SETOP_NONE:
                yield "the list of SELECT is empty"
            case ast.FuncCall() if function_name(node) in ADVISORY:
                yield f"{function_name(node)}() is known to one server only"
            case ast.SelectStmt() if node.groupClause:
                yield from _faults_of_groups(node)
            case _:
                pass


def _faults_of_groups(query: ast.SelectStmt) -> Iterator[str]:
    """A key of two columns does not determine the others of its row where GROUP BY names one of them."""
    named = {name for node in walk(query.groupClause) if isinstance(node, ast.ColumnRef) for name in column_path(node)}
    for place, target in enumerate(query.targetList, 1):
        if target.name in named or any(isinstance(g, ast.A_Const) and g.val.ival == place for g in query.groupClause):
            continue
        for node in walk(target.val, into=lambda each: not _aggregates(each)):
            if isinstance(node, ast.ColumnRef) and column_path(node)[-1] not in named:
                yield f"GROUP BY does not name {'.'.join(column_path(node))}"


def _aggregates(node: Any) -> bool:
    if isinstance(node, ast.FuncCall):
        return function_name(node) in _AGGREGATES or node.over is not None
    return isinstance(node, ast.SubLink)


def _faults_of_part(statement: Any, outer_ctes: frozenset[str], *, scattered: bool) -> Iterator[str]:
    """Check a statement or a CTE, which a cluster may carry out one after the other, each with its own shard."""
    ctes = outer_ctes
    clause = statement.withClause
    if isinstance(statement, ast.InsertStmt) and clause is None and statement.selectStmt is not None:
        clause = statement.selectStmt.withClause
    for cte in clause.ctes if clause is not None else ():
        inner = ctes | {cte.ctename} if clause.recursive else ctes
        yield from _faults_of_part(cte.ctequery, inner, scattered=scattered)
        ctes |= {cte.ctename}
    part = Part(ctes)
    if isinstance(statement, _CHANGES) and statement.relation.relname in DISTRIBUTED:
        yield from _faults_of_target(statement)
    if isinstance(statement, ast.InsertStmt):
        if statement.selectStmt is not None:
            part.add(statement.selectStmt)
        part.add_expressions(statement.returningClause)
    else:
        part.add(statement)
    yield from part.faults(scattered=scattered)
    if clause is not None and clause.recursive and part.refs and not part.is_one_shard():
        yield "WITH RECURSIVE needs one shard"
    locked = any(isinstance(node, ast.SelectStmt) and node.lockingClause for node in _without_ctes(statement))
    if locked and part.refs and (scattered or not part.is_one_shard()):
        yield "FOR UPDATE and FOR SHARE need one shard"


def _without_ctes(statement: Any) -> Iterator[Any]:
    yield statement
    for child in children(statement):
        yield from walk(child, into=lambda each: not isinstance(each, ast.WithClause))


def _faults_of_target(statement: Any) -> Iterator[str]:
    column = DISTRIBUTED[statement.relation.relname].column
    if isinstance(statement, ast.InsertStmt):
        yield from faults_of_insert(statement)
        yield from _faults_of_inserted(statement, column)
        return
    yield from faults_of_change(statement)
    if isinstance(statement, ast.UpdateStmt) and column in {target.name for target in statement.targetList}:
        yield f"UPDATE cannot change {column}"


def _faults_of_inserted(statement: ast.InsertStmt, column: str) -> Iterator[str]:
    table = statement.relation.relname
    if column not in {target.name for target in statement.cols or ()}:
        yield f"INSERT INTO {table} does not write {column}"
    if any(isinstance(node, ast.SubLink) for node in walk(getattr(statement.selectStmt, "valuesLists", None))):
        yield "VALUES contains a subquery"
    if any(isinstance(node, ast.SubLink) for node in own(statement.returningClause)):
        yield "the RETURNING of an INSERT contains a subquery"
    conflict = statement.onConflictClause
    if conflict is None:
        return
    if any(isinstance(node, ast.SubLink) for node in walk(conflict)):
        yield "ON CONFLICT contains a subquery"
    if conflict.infer is not None and column not in {element.name for element in conflict.infer.indexElems or ()}:
        yield f"the target of ON CONFLICT does not contain {column}"
    if column in {target.name for target in conflict.targetList or ()}:
        yield f"ON CONFLICT cannot change {column}"
