"""Permission to subscribe to a channel of the live layer."""

from __future__ import annotations

import orjson

from channels.contract.errors import PermissionDeniedError, UnknownChannelError
from channels.contract.ports import Grant, Identity
from server.actions.presence import PresenceReader
from server.live.store_errors import store_errors
from storage import ids
from storage.errors import NotFoundError
from storage.postgres.database import Queryable
from storage.stores import photos, relations
from workers.jobs import publications
from workers.jobs.publications import FEED, NOTIFICATIONS, PRESENCE


class LiveAuthorizer:
    """Grant `photo:<id>`, `user:<id>` and `presence:<id>` to users that may see the photo, profile or presence."""

    def __init__(self, db: Queryable, presence: PresenceReader) -> None:
        self._db = db
        self._presence = presence
        self._grants = {"photo": self._grant_photo, "user": self._grant_user, PRESENCE: self._grant_presence}

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant; raise `UnknownChannelError`, `PermissionDeniedError` or `LiveUnavailableError`."""
        kind, _, text = channel.partition(":")
        if kind in {FEED, NOTIFICATIONS}:
            # The server subscribes each connection to its own user's streams; no client subscribes to another's.
            raise PermissionDeniedError("This stream belongs to another user.")
        grant = self._grants.get(kind)
        if grant is None:
            raise UnknownChannelError(f"There is no channel {channel[:50]!r}.")
        try:
            wanted = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with store_errors():
            return await grant(identity.user_id, wanted)

    async def _grant_user(self, viewer_id: int, user_id: int) -> Grant:
        if not await relations.may_see(self._db, viewer_id, user_id):
            raise PermissionDeniedError("There is no such user, or you may not see the profile.")
        return Grant(topic=publications.user_topic(user_id), owner_id=user_id)

    async def _grant_photo(self, viewer_id: int, photo_id: int) -> Grant:
        try:
            photo = await photos.get(self._db, photo_id, viewer_id=viewer_id)
        except NotFoundError as error:
            raise PermissionDeniedError("There is no such photo, or you may not see it.") from error
        return Grant(topic=publications.photo_topic(photo_id), owner_id=photo.author.id)

    async def _grant_presence(self, viewer_id: int, user_id: int) -> Grant:
        presence = await self._presence.read(user_id, viewer_id=viewer_id)
        if presence is None:
            raise PermissionDeniedError("You may not see whether this user is online.")
        data = orjson.dumps(publications.presence_fields(presence))
        return Grant(topic=publications.presence_topic(user_id), owner_id=user_id, data=data)
