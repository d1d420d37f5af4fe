"""Mistakes in the SQL within a Python module: a condition, lock or order that is forgotten, a comparison off by one."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Iterator

from mutation.mutant import Edit

_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|WHERE|AND|JOIN|FOR|ORDER BY|ON CONFLICT)\b")
# A condition: no parenthesis of its own, or balanced ones up to two deep.
_CONDITION = r"(?:[^()\n]|\((?:[^()]|\([^()]*\))*\))+?"
_END = r"(?=\s+(?:AND|OR|ORDER BY|GROUP BY|FOR|LIMIT|RETURNING|ON|UNION|WHERE)\b|\s*[)\n\"]|\s*$)"

# Two times are never equal, but by chance.
_TIME = re.compile(r"timestamp|_at\b|now\(\)|interval")
_MOVED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_SWAPPED = {"greatest": "least", "least": "greatest"}

_Replacement = str | Callable[[re.Match[str]], str]

_RULES: tuple[tuple[str, re.Pattern[str], _Replacement], ...] = (
    ("SQL condition dropped", re.compile(rf"\bAND {_CONDITION}{_END}"), ""),
    ("SQL condition dropped", re.compile(rf"\bOR {_CONDITION}{_END}"), ""),
    ("SQL condition dropped", re.compile(rf"(?<=\bWHERE ){_CONDITION} AND "), ""),
    ("SQL condition dropped", re.compile(rf"(?<=\bWHERE ){_CONDITION}{_END}"), "true"),
    (
        "SQL lock dropped",
        re.compile(r"\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)(?: OF \w+)?(?: SKIP LOCKED)?"),
        "",
    ),
    ("SQL waits for locked rows", re.compile(r" SKIP LOCKED\b"), ""),
    ("SQL comparison moved", re.compile(r"(?<= )(?:<=|>=|<|>)(?= )"), lambda m: _MOVED[m[0]]),
    ("SQL arithmetic swapped", re.compile(r"(?<= )[+-](?= )"), lambda m: "-" if m[0] == "+" else "+"),
    ("SQL order dropped", re.compile(r"\bORDER BY [\w., ]+?(?=\s+(?:LIMIT|FOR|OFFSET)\b|\s*[)\n\"])"), ""),
    ("SQL order reversed", re.compile(r"\bDESC\b"), "ASC"),
    ("SQL bound swapped", re.compile(r"\b(?:greatest|least)(?=\()"), lambda m: _SWAPPED[m[0]]),
    ("SQL duplicates kept", re.compile(r"\bDISTINCT "), ""),
    ("SQL negation dropped", re.compile(r"\bNOT (?!NULL\b)"), ""),
    ("SQL time multiplied", re.compile(r"(?<=interval ')\d+"), lambda m: f"{m[0]}0"),
)


def sql_edits(source: str) -> Iterator[Edit]:
    """Yield the edits of a module's text."""
    for start, text in _strings(source):
        if not _SQL.search(text):
            continue
        for kind, pattern, replacement in _RULES:
            for found in pattern.finditer(text):
                if kind == "SQL comparison moved" and _TIME.search(_clause(text, found.start())):
                    continue
                new = replacement if isinstance(replacement, str) else replacement(found)
                yield Edit(kind=kind, start=start + found.start(), end=start + found.end(), text=new)


def _clause(text: str, at: int) -> str:
    """Return the text around a position up to the next AND, OR, WHERE or line's end on both sides."""
    return re.split(r"\b(?:AND|OR|WHERE)\b|\n", text[:at])[-1] + re.split(r"\b(?:AND|OR|WHERE)\b|\n", text[at:])[0]


def _strings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the offset and the text of each string literal that is not a docstring."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    middle = getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)  # a token of its own from Python 3.12 on
    before = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        statement_start = before in {tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
        if token.type in {tokenize.STRING, middle} and not statement_start:
            yield starts[token.start[0] - 1] + token.start[1], token.string
        if token.type not in {tokenize.NL, tokenize.COMMENT}:
            before = token.type
