"""Spread the photos of an order so that no author has many of them in a row."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable

MOST = 2  # photos of one author
AMONG = 10  # consecutive photos


def spread(ranked: Iterable[tuple[int, int]]) -> list[int]:
    """Return the ids of (id, author) pairs, best first, so that of `AMONG` in a row at most `MOST` have one author.

    Each place has the best photo that this rule allows. If only photos of authors are left that have had their share,
    the place has one of the author with the fewest among the last ones: no photo is left out.
    """
    authors = _Authors(ranked)
    order: list[int] = []
    placed: deque[int] = deque()  # the authors of the last photos, one fewer than `AMONG`
    while (author := authors.next()) is not None:
        order.append(authors.take(author))
        placed.append(author)
        if len(placed) == AMONG:
            authors.release(placed.popleft())
    return order


class _Authors:
    """The photos that wait for their places, by author; `free` authors have not had their share, `paused` ones have."""

    def __init__(self, ranked: Iterable[tuple[int, int]]) -> None:
        self._waiting: dict[int, deque[tuple[int, int]]] = {}  # author → (rank, id), best first
        for rank, (photo_id, author) in enumerate(ranked):
            self._waiting.setdefault(author, deque()).append((rank, photo_id))
        self._recent: Counter[int] = Counter()  # photos of each author among the last ones
        self._paused: set[int] = set()
        self._free: list[tuple[int, int]] = []  # a heap of (rank of the best photo, author)
        for author in self._waiting:
            self._admit(author)

    def next(self) -> int | None:
        """Return the author of the next photo; None at the end."""
        if self._free:
            return heapq.heappop(self._free)[1]
        if not self._paused:
            return None
        author = min(self._paused, key=lambda each: (self._recent[each], self._waiting[each][0]))
        self._paused.remove(author)
        return author

    def take(self, author: int) -> int:
        """Return the best photo of an author, which is placed now."""
        _, photo_id = self._waiting[author].popleft()
        self._recent[author] += 1
        if self._waiting[author]:
            self._admit(author)
        return photo_id

    def release(self, author: int) -> None:
        """Note that a photo of an author is not among the last ones any more."""
        self._recent[author] -= 1
        if author in self._paused and self._recent[author] < MOST:
            self._paused.remove(author)
            self._admit(author)

    def _admit(self, author: int) -> None:
        if self._recent[author] < MOST:
            heapq.heappush(self._free, (self._waiting[author][0][0], author))
        else:
            self._paused.add(author)
