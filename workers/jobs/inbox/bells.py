"""Notifications of the photos of accounts on which their followers have a bell.

The first followers are notified with the event of the photo, in the queue "notify", and the others chunk by chunk in
the queue "bulk". No feed waits for either. As in `workers.jobs.inbox.notify`, inboxes are compared with the database as
it is at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from storage.events import BellChunk, PhotoHidden, PhotoReady, PhotoRestored
from storage.ids import shard_of
from storage.models import PhotoState
from storage.notifications import Activity, NotificationKind
from storage.postgres.database import Database
from storage.stores.notifications import notification_removal
from storage.stores.photos import photos
from storage.stores.social import bells
from workers.handlers import EventHandler, on
from workers.jobs.inbox.inbox import Inbox

FOLLOWERS_AT_ONCE = 20  # each has an inbox of its own


class BellHandlers:
    """Notifies the followers with a bell, and withdraws that; every method can be repeated."""

    def __init__(self, db: Database, inbox: Inbox) -> None:
        self._db = db
        self._inbox = inbox

    def bulk_handlers(self) -> Mapping[str, EventHandler]:
        """Return the handlers of what is worked off in batches."""
        return on(BellChunk, self.chunk)

    async def shown(self, event: PhotoReady | PhotoRestored) -> None:
        """Notify the first followers of a photo that is shown, or is shown again."""
        await self.chunk(BellChunk(photo_id=event.photo_id, author_id=event.author_id))

    async def hidden(self, event: PhotoHidden) -> None:
        """Withdraw the notifications of a photo that is hidden."""
        if event.published:
            async with self._db.transaction() as tx:
                tx.emit(BellChunk(photo_id=event.photo_id, author_id=event.author_id, withdraw=True))

    async def chunk(self, event: BellChunk) -> None:
        """Notify the next followers, or withdraw the next notifications, and emit the event of those after them."""
        if event.withdraw:
            await self._withdraw(event)
            return
        followers = await bells.followers(
            self._db, event.author_id, after=(event.after_shard, event.after_id), limit=FOLLOWERS_AT_ONCE
        )
        await self._reconcile(event, followers)
        if len(followers) == FOLLOWERS_AT_ONCE:
            await self._emit(replace(event, after_shard=shard_of(followers[-1]), after_id=followers[-1]))

    async def _withdraw(self, event: BellChunk) -> None:
        # A photo that is shown by now has an event of its own, and its notifications stay.
        photo = (await photos.load(self._db, [event.photo_id])).get(event.photo_id)
        if photo is not None and photo.state is PhotoState.READY:
            return
        found = await notification_removal.of_posts(
            self._db, event.photo_id, after=event.after_id, limit=FOLLOWERS_AT_ONCE
        )
        await self._reconcile(event, [recipient_id for _, recipient_id in found])
        if len(found) == FOLLOWERS_AT_ONCE:
            await self._emit(replace(event, after_id=found[-1][0]))

    async def _reconcile(self, event: BellChunk, recipient_ids: Iterable[int]) -> None:
        for recipient_id in recipient_ids:
            await self._inbox.reconcile(
                Activity(
                    recipient_id=recipient_id,
                    kind=NotificationKind.POST_BY,
                    actor_id=event.author_id,
                    photo_id=event.photo_id,
                    source_id=event.photo_id,
                )
            )

    async def _emit(self, event: BellChunk) -> None:
        async with self._db.transaction() as tx:
            tx.emit(event)
