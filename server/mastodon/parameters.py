"""Parameters as apps send them: JSON, a form, a multipart form or the query, with names such as `media_ids[]`.

The names of a form are those of Rails: `a[]` is an item of a list, `a[b]` a field of an object, `a[][b]` a field of the
last object of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from server.edge.problem import ProblemError

Parameters = dict[str, Any]

MAX = 1000  # parameters of one request
_MAX_DEPTH = 4
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_STEP = re.compile(r"\[([^\[\]]*)\]")


def nested(pairs: Iterable[tuple[str, Any]]) -> Parameters:
    """Return the parameters of pairs of name and value; the last one of a name counts. Raises a 400 for too many."""
    found: Parameters = {}
    for number, (name, value) in enumerate(pairs):
        if number >= MAX:
            raise ProblemError(400, "invalid_parameter", f"Send at most {MAX} parameters.")
        match = _NAME.fullmatch(name)
        steps = [] if match is None else _STEP.findall(match[2])
        if match is None or len(steps) > _MAX_DEPTH:
            found[name] = value
            continue
        _put(found, match[1], steps, value)
    return found


def _put(found: Parameters, name: str, steps: list[str], value: Any) -> None:
    if not steps:
        found[name] = value
        return
    first, rest = steps[0], steps[1:]
    if first:
        inner = found.get(name)
        if not isinstance(inner, dict):
            inner = found[name] = {}
        _put(inner, first, rest, value)
        return
    items = found.get(name)
    if not isinstance(items, list):
        items = found[name] = []
    if not rest:
        items.append(value)
        return
    # A name that the last object has begins the next one.
    if not items or not isinstance(items[-1], dict) or (rest[0] in items[-1] and len(rest) == 1):
        items.append({})
    _put(items[-1], rest[0], rest[1:], value)
