"""Cut a list where a page ends, and name the point where the next one begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from server.edge.cursors import Cursors

T = TypeVar("T")


class Pager:
    """Make pages of one list: ask a store for `limit + 1`, and `cut` tells whether there is more.

    `listing` names the list with its filter, so that a cursor fits no other.
    """

    def __init__(self, cursors: Cursors, listing: str) -> None:
        self._cursors = cursors
        self._listing = listing

    def before(self, cursor: str | None) -> int | None:
        """Return the position that a cursor stands for; raise `BadCursorError`."""
        return self._cursors.decode(self._listing, cursor)

    def cut(self, rows: Sequence[T], limit: int, position: Callable[[T], int]) -> tuple[list[T], str | None]:
        """Return the page's rows, and the cursor behind its last one if there is more."""
        page = list(rows[:limit])
        if len(rows) <= limit:
            return page, None
        return page, self._cursors.encode(self._listing, position(page[-1]))
