"""Splitting of SQL text into its statements.

PostgreSQL runs a text of several statements as one transaction. Statements outside a transaction are sent one by one.
"""

from __future__ import annotations

import re

# What may contain a semicolon that ends no statement. A quote in a quoted text is doubled; E'…' has backslashes, too.
_OPAQUE = re.compile(
    r"""
      --[^\n]*                                  # a comment up to the end of the line
    | /\*.*?\*/                                 # a comment that contains no other
    | (?<![\w$])[eE]'(?:[^'\\]|''|\\.)*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | (?<![\w$])(\$(?:[A-Za-z_]\w*)?\$).*?\1    # the body of a function or of DO
    """,
    re.DOTALL | re.VERBOSE,
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


def split(sql: str) -> list[str]:
    """Return the statements of `sql`, in order, without their semicolons; comments between them belong to the next."""
    starts, position = [0], 0
    while position < len(sql):
        opaque = _OPAQUE.match(sql, position)
        if opaque is not None:
            position = opaque.end()
            continue
        position += 1
        if sql[position - 1] == ";":
            starts.append(position)
    parts = [sql[start:end] for start, end in zip(starts, [*starts[1:], len(sql)], strict=True)]
    statements = (part.strip().removesuffix(";").strip() for part in parts)
    return [statement for statement in statements if _COMMENT.sub("", statement).strip()]
