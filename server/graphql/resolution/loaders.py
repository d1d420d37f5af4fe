"""Values by key, read once for a request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loader(Generic[K, V]):
    """Reads the values that several fields of one level need: each key once, the keys of a call with one query.

    `read` returns the values that there are. A query that failed fails for all who asked for its keys.
    """

    def __init__(self, read: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._read = read
        self._queries: dict[K, asyncio.Future[Mapping[K, V]]] = {}

    async def many(self, keys: Iterable[K | None]) -> list[V | None]:
        """Return the value of each key, None where there is none and for the key None."""
        wanted = list(keys)
        missing = [key for key in dict.fromkeys(wanted) if key is not None and key not in self._queries]
        if missing:
            query = asyncio.ensure_future(self._read(missing))
            self._queries |= dict.fromkeys(missing, query)
        return [None if key is None else (await self._queries[key]).get(key) for key in wanted]

    async def one(self, key: K) -> V | None:
        """Return the value of a key, or None."""
        return (await self.many([key]))[0]

    def forget(self) -> None:
        """Read all values again when they are needed the next time, because a mutation has changed some."""
        self._queries.clear()
