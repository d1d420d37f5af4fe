"""Rows: the leaves of an object that the response has as they are, copied by a function that is made for them.

Most fields of most objects are such leaves. Column by column they take half of the time of a page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

Copy: TypeAlias = Callable[[Sequence[Any], Sequence[dict[str, Any]]], bool]
"""Copies the leaves of all sources to their targets.

Returns False where a value needs more care, or a source is no dict; then some leaves are copied and others are not.
"""


class CopiedLeaf(NamedTuple):
    """A leaf: its response name, its key in the source, and the Python condition on `value` that forbids to copy it."""

    name: str
    key: str
    unless: str


def copy_function(leaves: Iterable[CopiedLeaf]) -> Copy:
    """Return the function that copies these leaves."""
    lines = [
        "def copy(sources, targets):",
        "    for source, target in zip(sources, targets, strict=True):",
        "        if type(source) is not dict:",
        "            return False",
        "        get = source.get",  # a missing entry is null
    ]
    for leaf in leaves:
        lines += [
            f"        value = get({leaf.key!r})",
            f"        if {leaf.unless}:",
            "            return False",
            f"        target[{leaf.name!r}] = value",
        ]
    made: dict[str, Any] = {"isfinite": math.isfinite}
    # Of the client there are only names in it, which the parser has found to be letters, digits and underscores.
    exec("\n".join([*lines, "    return True"]), made)  # noqa: S102
    copy: Copy = made["copy"]
    return copy
