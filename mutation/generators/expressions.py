"""Mistakes in Python expressions, made by the operators of cosmic-ray."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator

from mutation.mutant import Mutant

# Those of its operators that make mistakes which a person makes. `statements.py` has others for numbers and conditions.
OPERATORS = (
    *(
        f"ReplaceComparisonOperator_{pair}"
        for pair in ("Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is")
    ),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "BitOr_BitAnd")),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceUnaryOperator_Delete_Not"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ZeroIterationForLoop"),
)


def expression_mutants(path: str, source: str) -> Iterator[Mutant]:
    """Yield the mutants of a module, without those that differ only in what mypy checks."""
    # Installed by `make mutate` alone, while the tests of the other generators run everywhere.
    from cosmic_ray.mutating import mutate_code  # noqa: PLC0415
    from cosmic_ray.plugins import get_operator  # noqa: PLC0415

    original = _meaning(source)
    for name in OPERATORS:
        operator = get_operator(f"core/{name}")()
        for occurrence in itertools.count():
            mutated = mutate_code(source, operator, occurrence)
            if mutated is None:
                break
            if _meaning(mutated) not in {None, original}:
                yield Mutant(path=path, kind=name, original=source, mutated=mutated)


def _meaning(source: str) -> str | None:
    """Return the syntax tree without what only mypy checks; None if the source is no Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        match node:
            case ast.arg():
                node.annotation = None
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
            case ast.AnnAssign():
                node.annotation = ast.Constant(value=None)
            case ast.arguments():
                # Whether an argument may be named matters to mypy alone.
                node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
                node.defaults = [*node.defaults, *filter(None, node.kw_defaults)]
                node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
            case ast.ClassDef():
                node.decorator_list = []  # options of dataclasses, which mypy checks
            case _:
                pass
    return ast.dump(tree)
