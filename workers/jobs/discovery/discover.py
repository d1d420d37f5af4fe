"""The worker "discover": counts the authors who use a tag, and finds accounts that a user might want to follow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from storage.cache.tag_trends import TagTrends
from storage.events import PhotoAudienceChanged, PhotoEdited, PhotoReady, PhotoRestored, SuggestionsWanted
from storage.postgres.database import Database
from storage.stores.discovery import account_suggestions, tag_uses
from workers.handlers import EventHandler, on
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.discovery.account_suggestions import SuggestionMaker


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handlers of the queue "discover"."""
    maker = SuggestionMaker(context.db, context.photo_trends, picks=context.staff_picks)
    yield DiscoverHandlers(context.db, context.tag_trends, maker).handlers()


class DiscoverHandlers:
    """Handlers of the queue "discover"."""

    def __init__(self, db: Database, tag_trends: TagTrends, maker: SuggestionMaker) -> None:
        self._db = db
        self._tag_trends = tag_trends
        self._maker = maker

    def handlers(self) -> Mapping[str, EventHandler]:
        """Return the handler of each topic."""
        return {
            **on(PhotoReady, self.tagged),
            **on(PhotoEdited, self.tagged),
            **on(PhotoRestored, self.tagged),
            **on(PhotoAudienceChanged, self.tagged),
            **on(SuggestionsWanted, self.suggest),
        }

    async def tagged(self, event: PhotoReady | PhotoEdited | PhotoAudienceChanged | PhotoRestored) -> None:
        """Count the author for each tag of the photo, in the hour of the photo."""
        await self._tag_trends.record(await tag_uses.of_photo(self._db, event.photo_id))

    async def suggest(self, event: SuggestionsWanted) -> None:
        """Make the suggestions for a user, unless they were made within a day."""
        made = await account_suggestions.read(self._db, event.user_id)
        if made.due:
            await account_suggestions.store(self._db, event.user_id, await self._maker.make(event.user_id))
