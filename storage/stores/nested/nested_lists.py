"""Lists below many parents at once: comments of photos, photos of authors, followers of accounts.

One statement reads a page of each list, so that a page of parents takes as many statements as one of them. What a page
may not show is decided by the accounts, which are in other shards and are read after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

P = TypeVar("P")
R = TypeVar("R")

Read = Callable[[Mapping[int, P]], Awaitable[Mapping[int, Sequence[R]]]]
Keep = Callable[[Sequence[R]], Awaitable[Sequence[bool]]]


async def filled(
    starts: Mapping[int, P], read: Read[P, R], keep: Keep[R], place: Callable[[R], P], *, limit: int
) -> dict[int, list[R]]:
    """Return up to `limit` rows of each list that `keep` keeps, after the places in `starts`, by parent.

    `read` returns the next `limit` rows of some lists. Lists of which too few are kept are read on, because a short
    page would be taken for the end of its list.
    """
    found: dict[int, list[R]] = {parent: [] for parent in starts}
    while starts:
        batches = await read(starts)
        rows = [(parent, row) for parent, batch in batches.items() for row in batch]
        kept = await keep([row for _, row in rows])
        for (parent, row), shown in zip(rows, kept, strict=True):
            if shown:
                found[parent].append(row)
        starts = {
            parent: place(batch[-1])
            for parent, batch in batches.items()
            if len(batch) == limit and len(found[parent]) < limit
        }
    return {parent: rows[:limit] for parent, rows in found.items()}
