"""Who may hear which channel."""

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
    """Let people hear `photo:<id>`, `user:<id>` and `presence:<id>` of what they may see and know."""

    def __init__(self, db: Queryable, presence: PresenceReader) -> None:
        self._db = db
        self._view = presence
        self._kinds = {"photo": self._photo, "user": self._user, PRESENCE: self._presence}

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant; raise `UnknownChannelError`, `PermissionDeniedError` or `LiveUnavailableError`."""
        kind, _, text = channel.partition(":")
        if kind in {FEED, NOTIFICATIONS}:
            # People's own streams come with the connection; nobody subscribes to another's.
            raise PermissionDeniedError("this stream belongs to another person")
        grant = self._kinds.get(kind)
        if grant is None:
            raise UnknownChannelError(f"there is no channel {channel[:50]!r}")
        try:
            wanted = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with store_errors():
            return await grant(identity.user_id, wanted)

    async def _user(self, viewer_id: int, user_id: int) -> Grant:
        if not await relations.may_see(self._db, viewer_id, user_id):
            raise PermissionDeniedError("this profile is not yours to hear")
        return Grant(topic=publications.user_topic(user_id), owner_id=user_id)

    async def _photo(self, viewer_id: int, photo_id: int) -> Grant:
        try:
            photo = await photos.get(self._db, photo_id, viewer_id=viewer_id)
        except NotFoundError as error:
            raise PermissionDeniedError("this photo is not yours to hear") from error
        return Grant(topic=publications.photo_topic(photo_id), owner_id=photo.author.id)

    async def _presence(self, viewer_id: int, user_id: int) -> Grant:
        presence = await self._view.of(user_id, viewer_id=viewer_id)
        if presence is None:
            raise PermissionDeniedError("whether this person is online is not yours to hear")
        data = orjson.dumps(publications.presence_fields(presence))
        return Grant(topic=publications.presence_topic(user_id), owner_id=user_id, data=data)
