"""Walk through the nodes of a parsed statement."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind as Kind
from pglast.enums import BoolExprType
from pglast.stream import RawStream


def children(node: Any) -> Iterator[Any]:
    """Yield the nodes directly below a node, or below each of a sequence."""
    if isinstance(node, tuple | list):
        for each in node:
            yield from [each] if isinstance(each, ast.Node) else children(each)
    elif isinstance(node, ast.Node):
        for name in node.__slots__:
            value = getattr(node, name)
            yield from [value] if isinstance(value, ast.Node) else children(value)


def walk(node: Any, *, into: Any = lambda _: True) -> Iterator[Any]:
    """Yield a node, or each of a sequence, and all below it; those below a node for which `into` is false are not."""
    if isinstance(node, ast.Node):
        yield node
        if not into(node):
            return
    for child in children(node):
        yield from walk(child, into=into)


def own(node: Any) -> Iterator[Any]:
    """Yield the nodes of one query level: those of its subqueries are not."""
    return walk(node, into=lambda each: not isinstance(each, ast.SubLink | ast.RangeSubselect | ast.WithClause))


def conjuncts(condition: Any) -> Iterator[Any]:
    """Yield the conditions of which all have to be true."""
    if isinstance(condition, ast.BoolExpr) and condition.boolop == BoolExprType.AND_EXPR:
        for each in condition.args:
            yield from conjuncts(each)
    elif condition is not None:
        yield condition


def equality(condition: Any) -> tuple[Any, Any] | None:
    """Return both sides of `a = b`."""
    if isinstance(condition, ast.A_Expr) and condition.kind == Kind.AEXPR_OP and _is(condition, "="):
        return condition.lexpr, condition.rexpr
    return None


def one_of(condition: Any) -> tuple[Any, Any] | None:
    """Return the expression and the list of `a = ANY (list)` or `a IN (list)`."""
    if isinstance(condition, ast.A_Expr) and condition.kind in (Kind.AEXPR_OP_ANY, Kind.AEXPR_IN):
        return (condition.lexpr, condition.rexpr) if _is(condition, "=") else None
    return None


def is_sum(node: Any) -> bool:
    """Return whether the node adds or subtracts."""
    return isinstance(node, ast.A_Expr) and (_is(node, "+") or _is(node, "-"))


def _is(expression: ast.A_Expr, operator: str) -> bool:
    return bool(expression.name[-1].sval == operator)


def function_name(call: ast.FuncCall) -> str:
    """Return the name of the function without its schema."""
    name: str = call.funcname[-1].sval
    return name


def column_path(node: ast.ColumnRef) -> tuple[str, ...]:
    """Return the names of a column: (column,) or (table, column); `*` is a name, too."""
    return tuple(field.sval if isinstance(field, ast.String) else "*" for field in node.fields)


def has_column(node: Any) -> bool:
    """Return whether an expression reads a column."""
    return any(isinstance(each, ast.ColumnRef) for each in walk(node))


def text(node: Any) -> str:
    """Return an expression as SQL."""
    written: str = RawStream()(node)
    return written
