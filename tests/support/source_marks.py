"""The statements that ask all shards or run on one server only, as their comments in the source say."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from collections.abc import Iterator

from tests.support.documents import ROOT
from tests.support.shard_rules import MARK
from tests.support.source_statements import product_files

LIST = "tests/support/scatters.toml"
Mark = tuple[str, str]  # the kind and the reason


def committed() -> Counter[tuple[str, Mark]]:
    """Return the list: (file, mark) and the number of its statements."""
    found: Counter[tuple[str, Mark]] = Counter()
    for kind, files in tomllib.loads((ROOT / LIST).read_text()).items():
        for path, reasons in files.items():
            found.update((path, (kind, reason)) for reason in reasons)
    return found


def committed_reasons() -> set[Mark]:
    """Return the marks of the list."""
    return {mark for _, mark in committed()}


def in_the_source() -> Counter[tuple[str, Mark]]:
    """Return what the list should be, from the texts in the source that begin with such a comment."""
    return Counter(
        (str(path.relative_to(ROOT)), (found[1], found[2]))
        for path in product_files()
        for text in _texts(ast.parse(path.read_text()))
        if (found := MARK.match(text))
    )


def stray_marks() -> list[str]:
    """Return the comments without a statement in the same literal, to which several statements could be appended."""
    return [
        f"{path.relative_to(ROOT)}: {text!r}"
        for path in product_files()
        for text in _texts(ast.parse(path.read_text()))
        if (found := MARK.match(text)) and not text[found.end() :].strip()
    ]


def as_toml(marks: Counter[tuple[str, Mark]]) -> str:
    """Return the text of the list."""
    lines: list[str] = []
    for kind in sorted({mark[0] for _, mark in marks}):
        lines += ["", f'["{kind}"]']
        for path in sorted({path for path, mark in marks if mark[0] == kind}):
            reasons = sorted(mark[1] for where, mark in marks.elements() if (where, mark[0]) == (path, kind))
            lines += [f'"{path}" = [', *(f'    "{reason}",' for reason in reasons), "]"]
    return "\n".join(lines).strip() + "\n"


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield the literal texts; of an f-string the part before its first value, with `{}` for what follows."""
    inner = {id(each) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for each in node.values}
    for node in ast.walk(tree):
        match node:
            case ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *others]):
                yield f"{beginning}{{}}" if others else beginning
            case ast.Constant(value=str(text)) if id(node) not in inner:
                yield text
            case _:
                pass
