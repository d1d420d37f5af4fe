"""Mistakes in Python that whole statements make: a forgotten call, check, lock or condition, or a wrong number.

The operators of cosmic-ray exchange operators and literals (`expressions.py`). The mistakes that tests miss most are of
another kind: something is not done. Positions come from `ast`, so that a mutant keeps the layout of its file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mutation.mutant import Edit

_TRIVIAL_CALLS = {"log", "logger", "warnings"}
_NEVER_RAISED = "ZeroDivisionError"
_SMALL = 2  # numbers up to this one are moved by one, larger ones multiplied


def statement_edits(source: str) -> Iterator[Edit]:
    """Yield the edits of a module's text."""
    offsets = _Offsets(source)
    tree = ast.parse(source)
    skipped = set(_unchanged(tree))
    for node in ast.walk(tree):
        if id(node) not in skipped:
            yield from _edits(node, offsets)


class _Offsets:
    """Character offsets of positions, which `ast` gives as lines and UTF-8 bytes."""

    def __init__(self, source: str) -> None:
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def of(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())

    def replace(self, kind: str, node: ast.stmt | ast.expr, text: str) -> Edit:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start, end = self.of(node.lineno, node.col_offset), self.of(node.end_lineno, node.end_col_offset)
        return Edit(kind=kind, start=start, end=end, text=text)

    def between(self, kind: str, first: ast.expr, second: ast.expr, keep: ast.expr) -> Edit:
        """Replace everything from the first to the end of the second expression by one of them."""
        assert second.end_lineno is not None
        assert second.end_col_offset is not None
        start, end = self.of(first.lineno, first.col_offset), self.of(second.end_lineno, second.end_col_offset)
        return Edit(kind=kind, start=start, end=end, text=ast.unparse(keep))


def _unchanged(tree: ast.Module) -> Iterator[int]:
    """Yield the identity of each node that is not run, or is an argument's default: mostly sizes and deadlines."""
    for node in ast.walk(tree):
        roots: list[ast.AST | None] = []
        match node:
            case ast.arg() | ast.AnnAssign():
                roots.append(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                roots.append(node.returns)
            case ast.arguments():
                roots += [*node.defaults, *node.kw_defaults]
            case _:
                pass
        for root in roots:
            if root is not None:
                yield from (id(child) for child in ast.walk(root))


def _edits(node: ast.AST, offsets: _Offsets) -> Iterator[Edit]:  # noqa: PLR0912 - one case for each kind of node
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()) if not _trivial(node.value):
            yield offsets.replace("call dropped", node, "pass")
        case ast.AugAssign() | ast.Delete():
            yield offsets.replace("statement dropped", node, "pass")
        # Not `self.x = x`, which fails at once without the attribute.
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript(), *_], value=value) if not isinstance(
            value, ast.Name
        ):
            yield offsets.replace("assignment dropped", node, "pass")
        case ast.Raise():
            yield offsets.replace("raise dropped", node, "pass")
        case ast.If(test=test):
            yield offsets.replace("check never true", test, "False")
            yield offsets.replace("check always true", test, "True")
            yield from _returns_in(node, offsets)
        case ast.IfExp(test=test):
            yield offsets.replace("condition never true", test, "False")
            yield offsets.replace("condition always true", test, "True")
        case ast.BoolOp(values=values) if len(values) > 1:
            yield from (_without(offsets, values, index) for index in range(len(values)))
        case ast.comprehension(ifs=[*tests]):
            for test in tests:
                yield offsets.replace("filter dropped", test, "True")
        case ast.ExceptHandler(type=ast.expr() as type_):
            yield offsets.replace("exception not caught", type_, _NEVER_RAISED)
        case ast.With(items=items, body=[first, *_]) | ast.AsyncWith(items=items, body=[first, *_]):
            if all(item.optional_vars is None for item in items) and not _trivial(items[0].context_expr):
                yield _without_context(offsets, node, first)
        case ast.Constant(value=bool()):
            return
        case ast.Constant(value=int() | float()):
            yield from _numbers(offsets, node)
        case _:
            return


def _trivial(node: ast.expr) -> bool:
    """Return whether a call only logs, or suppresses an exception (`expressions.py` changes which one)."""
    call = node.value if isinstance(node, ast.Await) else node
    if not isinstance(call, ast.Call):
        return False
    function = call.func
    while isinstance(function, ast.Attribute | ast.Call):
        function = function.value if isinstance(function, ast.Attribute) else function.func
    name = getattr(function, "id", "")
    return name in _TRIVIAL_CALLS or "__init__" in ast.unparse(call.func)


def _returns_in(node: ast.If, offsets: _Offsets) -> Iterator[Edit]:
    """Yield the removal of a return that ends a branch of several statements; a lone one is the check's own mutant."""
    last = node.body[-1]
    if isinstance(last, ast.Return) and len(node.body) > 1:
        yield offsets.replace("return dropped", last, "pass")


def _without(offsets: _Offsets, values: list[ast.expr], index: int) -> Edit:
    """Drop one operand of `and` or `or`, with its neighbour's operator."""
    first, second = (
        (values[index], values[index + 1]) if index + 1 < len(values) else (values[index - 1], values[index])
    )
    keep = second if index + 1 < len(values) else first
    return offsets.between("operand dropped", first, second, keep)


def _without_context(offsets: _Offsets, node: ast.stmt, first: ast.stmt) -> Edit:
    """Replace `with lock:` by `if True:`, which runs the block without it."""
    start = offsets.of(node.lineno, node.col_offset)
    body = offsets.of(first.lineno, 0)
    return Edit(kind="context dropped", start=start, end=body, text="if True:\n")


def _numbers(offsets: _Offsets, node: ast.Constant) -> Iterator[Edit]:
    value = node.value
    assert isinstance(value, int | float)
    if value > _SMALL:
        yield offsets.replace("number multiplied", node, repr(value * 10))
    else:
        yield offsets.replace("number moved", node, repr(value + 1))
        if value > 0:
            yield offsets.replace("number moved", node, repr(value - 1))
