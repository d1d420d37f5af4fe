"""Mistakes in Lua scripts: a forgotten line, a check that always or never holds, a comparison or number off by one.

There is no well-kept tool for Lua, and the scripts need none: they have one statement on a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mutation.mutant import Edit

_STRING_OR_COMMENT = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|--.*")
_OPTION = re.compile(r", '(?:KEEPTTL|NX|XX|GT|LT)'")
_OPENS = re.compile(r"\b(function|do|then|repeat|else)\b")
_ENDS = re.compile(r"\b(end|until)\b")
_STATEMENT = re.compile(
    r"^(?!local\b|return\b|if\b|elseif\b|for\b|while\b|end\b|else\b|until\b)[\w.\[\], #\0]+(\(.*\)|=.*)$"
)
_MOVED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "~=", "~=": "=="}
_SWAPPED = {"min": "max", "max": "min", "floor": "ceil", "ceil": "floor", "+": "-", "-": "+", "*": "/", "/": "*"}
_SMALL = 9  # numbers up to this one are moved by one, larger ones multiplied

_Replacement = str | Callable[[re.Match[str]], str]

_RULES: tuple[tuple[str, re.Pattern[str], _Replacement], ...] = (
    ("check never true", re.compile(r"(?<=\bif )(.+?)(?= then\b)"), "false"),
    ("check always true", re.compile(r"(?<=\bif )(.+?)(?= then\b)"), "true"),
    ("loop not run", re.compile(r"(?<=\bwhile )(.+?)(?= do\b)"), "false"),
    ("comparison moved", re.compile(r"(?<= )(<=|>=|==|~=|<|>)(?= )"), lambda m: _MOVED[m[0]]),
    ("and for or", re.compile(r"\bor\b"), "and"),
    ("or for and", re.compile(r"\band\b"), "or"),
    ("negation dropped", re.compile(r"\bnot "), ""),
    ("arithmetic swapped", re.compile(r"(?<=[\w)\]] )[-+*/](?= )"), lambda m: _SWAPPED[m[0]]),
    ("function swapped", re.compile(r"(?<=\bmath\.)(min|max|floor|ceil)\b"), lambda m: _SWAPPED[m[0]]),
    ("number moved", re.compile(r"(?<![\w.])\d+(?![\w.])"), lambda m: _more(int(m[0]))),
    ("number moved", re.compile(r"(?<![\w.])[1-9](?![\w.])"), lambda m: str(int(m[0]) - 1)),
    ("boolean flipped", re.compile(r"\b(true|false)\b"), lambda m: "true" if m[0] == "false" else "false"),
    ("return dropped", re.compile(r"(?<= then )return\b[^;]*?(?= end$)"), ""),
)


def lua_edits(source: str) -> Iterator[Edit]:
    """Yield the edits of a script's text."""
    start = 0
    for line in source.splitlines(keepends=True):
        # Strings and comments keep their length, so that positions stay right, and match no rule.
        code = _STRING_OR_COMMENT.sub(lambda m: "\0" * len(m[0]), line.rstrip("\n"))
        yield from _line_edits(start, code)
        for option in _OPTION.finditer(line):
            yield Edit(kind="option dropped", start=start + option.start(), end=start + option.end(), text="")
        start += len(line)


def _line_edits(start: int, code: str) -> Iterator[Edit]:
    visible = code.rstrip("\0 ") if code.strip("\0 ") else ""
    stripped = visible.strip()
    if _droppable(stripped):
        indent = len(visible) - len(visible.lstrip())
        yield Edit(kind="statement dropped", start=start + indent, end=start + len(code), text="")
    for kind, pattern, replacement in _RULES:
        for found in pattern.finditer(visible):
            new = replacement if isinstance(replacement, str) else replacement(found)
            yield Edit(kind=kind, start=start + found.start(), end=start + found.end(), text=new)


def _droppable(statement: str) -> bool:
    """Return whether a line is a whole statement: a call, an assignment to what exists already, or a one-line `if`."""
    if statement.count("(") != statement.count(")") or statement.count("{") != statement.count("}"):
        return False
    if statement.startswith(("if ", "for ", "while ")) and statement.endswith("end"):
        return True
    if _OPENS.search(statement) or _ENDS.search(statement):
        return False
    return statement == "break" or bool(_STATEMENT.match(statement))


def _more(number: int) -> str:
    return str(number + 1 if number <= _SMALL else number * 10)
