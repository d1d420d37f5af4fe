"""Pages of lists, and the cursors of the next ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from server.edge.cursors import Cursors

T = TypeVar("T")


class Pager:
    """Pages of one list: query a store for `limit + 1` rows, then `cut` them to a page.

    `listing` names the list and its filter, so that a cursor is valid for no other list.
    """

    def __init__(self, cursors: Cursors, listing: str) -> None:
        self._cursors = cursors
        self._listing = listing

    def before(self, cursor: str | None) -> int | None:
        """Return the position of a cursor; raise `BadCursorError`."""
        return self._cursors.decode(self._listing, cursor)

    def cut(self, rows: Sequence[T], limit: int, position: Callable[[T], int]) -> tuple[list[T], str | None]:
        """Return the rows of the page, and the cursor of the next page if there are more rows than `limit`."""
        page = list(rows[:limit])
        if len(rows) <= limit:
            return page, None
        return page, self._cursors.encode(self._listing, position(page[-1]))
