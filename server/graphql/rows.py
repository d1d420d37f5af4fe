"""Rows: the leaves of an object that the response has as they are, copied together.

Most fields of most objects are such leaves. Column by column they take half of the time of a page; as a row they are
read by one call for each object, and only the check of their classes goes column by column.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from server.graphql.columns import LeafColumn


class Rows:
    """Leaves that are copied together, at least two: their response names, their keys and their columns."""

    def __init__(self, names: Sequence[str], keys: Sequence[str], columns: Sequence[LeafColumn]) -> None:
        if len(keys) < 2:
            raise ValueError("a row has at least two leaves")
        self._names = tuple(names)
        self._values = itemgetter(*keys)
        self._columns = tuple(columns)

    def copy(self, sources: Sequence[Any], targets: Sequence[dict[str, Any]]) -> bool:
        """Copy the leaves of all objects; return False, having done nothing, where a value needs more care."""
        if type(sources[0]) is not dict:
            return False
        try:
            rows = list(map(self._values, sources))
        except (KeyError, TypeError):
            return False  # an entry is missing, or not all sources are mappings
        if not all(map(LeafColumn.passes, self._columns, zip(*rows, strict=True))):
            return False
        names = self._names
        for target, row in zip(targets, rows, strict=True):
            target.update(zip(names, row, strict=True))
        return True
