"""Search for users, tags and photos within a time that suits typing; what takes longer is left out, and said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from storage.ids import MAX_ID
from storage.models import Photo
from storage.postgres import trigrams
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.search_text import SearchedText
from storage.stores.discovery import tag_search, user_search
from storage.stores.discovery.tag_search import FoundTag
from storage.stores.discovery.user_search import FoundUser
from storage.stores.photos import photo_search

SEARCH_QUOTA = "searches"
TIMEOUT = 0.3  # seconds for each kind

log = structlog.get_logger(__name__)


class SearchMetrics(Protocol):
    """Records searches by kind: "users", "tags" or "photos"."""

    def search_done(self, *, kind: str, seconds: float, partial: bool) -> None:
        """Record one search, and whether it took so long that results may be missing."""
        ...


class NoSearchMetrics:
    """Records nothing."""

    def search_done(self, *, kind: str, seconds: float, partial: bool) -> None:
        """Do nothing."""


@dataclass(kw_only=True, slots=True)
class Results:
    """What a search has found; `partial` if some of it may be missing because it took too long."""

    users: list[FoundUser] = field(default_factory=list)
    tags: list[FoundTag] = field(default_factory=list)
    photos: list[Photo] = field(default_factory=list)
    partial: bool = False


class SearchActions:
    """Searches as a viewer, or as a visitor (None); a statement that takes too long is cancelled in the database."""

    def __init__(self, reads: Reads, metrics: SearchMetrics | None = None, *, timeout: float = TIMEOUT) -> None:
        self._reads = reads
        self._metrics = metrics or NoSearchMetrics()
        self._timeout = timeout
        self._parts: bool | None = None

    async def users(self, searched: SearchedText, results: Results, viewer_id: int | None) -> None:
        """Add the users that are found, the best first."""

        async def search(db: Queryable) -> None:
            parts = await self._has_parts(db)
            results.users.clear()
            await user_search.search(db, searched, results.users, viewer_id=viewer_id, parts=parts)

        await self._within_time("users", results, viewer_id, search)

    async def tags(self, searched: SearchedText, results: Results, viewer_id: int | None) -> None:
        """Add the tags that are found, the best first."""

        async def search(db: Queryable) -> None:
            parts = await self._has_parts(db)
            results.tags.clear()
            await tag_search.search(db, searched, results.tags, parts=parts)

        await self._within_time("tags", results, viewer_id, search)

    async def photos(
        self, searched: SearchedText, results: Results, viewer_id: int | None, *, before: int | None, limit: int
    ) -> None:
        """Add the newest `limit` photos with ids below `before`."""
        below = MAX_ID if before is None else before

        async def search(db: Queryable) -> None:
            results.photos.clear()
            await photo_search.search(
                db, searched.lexemes, results.photos, viewer_id=viewer_id, before=below, limit=limit
            )

        await self._within_time("photos", results, viewer_id, search)

    async def _within_time(
        self, kind: str, results: Results, viewer_id: int | None, search: Callable[[Queryable], Awaitable[None]]
    ) -> None:
        started, partial = time.monotonic(), False
        try:
            # When the time is over, the driver has the server cancel the statement. No setting of the session is
            # needed for that, so it works behind a pooler and costs nothing otherwise.
            async with asyncio.timeout(self._timeout):
                await self._reads.read(viewer_id, search)
        except TimeoutError:
            results.partial = partial = True
        self._metrics.search_done(kind=kind, seconds=time.monotonic() - started, partial=partial)

    async def _has_parts(self, db: Queryable) -> bool:
        if self._parts is None:
            self._parts = await trigrams.available(db)
            if not self._parts:
                log.warning("search_without_parts", remedy="`picshare doctor` says how to create the missing indexes")
        return self._parts
