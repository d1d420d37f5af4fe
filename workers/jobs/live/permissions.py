"""End live subscriptions that are no longer permitted.

Permissions are read from the database as it is at that moment, so the order of events does not matter. A use case calls
this after its commit, so that its effect does not wait for a worker; the worker repeats it for the event.
"""

from __future__ import annotations

from channels.bus.envelope import control_body
from channels.bus.publisher import LivePublisher
from storage.postgres.database import Queryable
from storage.stores.social import blocks, relations
from workers.jobs.live import publications


class LivePermissions:
    """Orders to the live connections of all processes; raises `UnavailableError` or `LiveUnavailableError`."""

    def __init__(self, db: Queryable, publisher: LivePublisher) -> None:
        self._db = db
        self._publisher = publisher

    async def follow_ended(self, viewer_id: int, owner_id: int) -> None:
        """Revoke the topics of an owner that only followers may subscribe to, also those of single photos."""
        photos, presence = await relations.may_see_photos_and_presence(self._db, viewer_id, owner_id)
        if not photos:
            await self._publisher.revoke(viewer_id, owner_id=owner_id)
            return
        if not presence:
            topic = publications.presence_topic(owner_id)
            await self._publisher.revoke(viewer_id, owner_id=owner_id, topic=topic)
        await self._publisher.recheck(viewer_id, owner_id=owner_id, prefix=publications.PHOTO_TOPICS)

    async def close_friend_changed(self, owner_id: int, friend_id: int) -> None:
        """Check which topics of an owner's photos a user may subscribe to who is or was a close friend."""
        await self._publisher.recheck(friend_id, owner_id=owner_id, prefix=publications.PHOTO_TOPICS)

    async def audience_changed(self, photo_id: int) -> None:
        """Check who may subscribe to the topic of a photo with another audience."""
        await self._publisher.recheck_topic(publications.photo_topic(photo_id))

    async def photo_hidden(self, photo_id: int) -> None:
        """Publish to those who have a photo open that it is gone, and end their subscriptions, except its author's."""
        topic = publications.photo_topic(photo_id)
        await self._publisher.to_topic(topic, publications.photo_removed(photo_id))
        await self._publisher.restrict_topic(topic)

    async def block_changed(self, one_id: int, other_id: int) -> None:
        """Separate two users' connections, or end that; subscriptions do not return by themselves."""
        separated = await blocks.blocked(self._db, one_id, other_id)
        while True:
            await self._publisher.separate(one_id, other_id, blocked=separated)
            # Another process may have sent a later state in between, after an earlier read.
            still = await blocks.blocked(self._db, one_id, other_id)
            if still == separated:
                return
            separated = still

    async def account_closed(self, user_id: int, order: str) -> None:
        """End all subscriptions to the topics of an account that became private, except its owner's."""
        # Followers are closed out too and subscribe again: the subscribers of a topic are not known here. The name
        # keeps the worker's repetition from ending these subscriptions.
        await self._publisher.restrict_topics_of(user_id, order=order)

    async def account_deleted(self, user_id: int) -> None:
        """Close the connections of a deleted or suspended account, publish that it is gone, and end its topics."""
        await self._publisher.to_users([user_id], control_body(control="disconnect"))
        await self._publisher.close_topics_of(user_id, last=publications.account_hidden(user_id))

    async def webhook_deleted(self, endpoint_id: int) -> None:
        """End all subscriptions to the attempts at a webhook."""
        await self._publisher.close_topic(publications.webhook_topic(endpoint_id))

    async def presence_hidden(self, user_id: int) -> None:
        """End all subscriptions to a user's presence but the user's own."""
        await self._publisher.restrict_topic(publications.presence_topic(user_id))
