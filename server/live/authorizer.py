"""Who may hear which channel."""

from __future__ import annotations

from channels.errors import PermissionDeniedError, UnknownChannelError
from channels.ports import Grant, Identity
from server.live.store_errors import store_errors
from storage import ids, photos, social
from storage.database import Queryable
from storage.errors import NotFoundError
from workers import live_topics
from workers.live_topics import FEED, NOTIFICATIONS


class LiveAuthorizer:
    """Let people hear `photo:<id>` and `user:<id>` where they may see the photo and the profile."""

    def __init__(self, db: Queryable) -> None:
        self._db = db

    async def authorize(self, identity: Identity, channel: str) -> Grant:
        """Return the grant; raise `UnknownChannelError`, `PermissionDeniedError` or `LiveUnavailableError`."""
        kind, _, text = channel.partition(":")
        if kind in {FEED, NOTIFICATIONS}:
            # People's own streams come with the connection; nobody subscribes to another's.
            raise PermissionDeniedError("this stream belongs to another person")
        if kind not in {"photo", "user"}:
            raise UnknownChannelError(f"there is no channel {channel[:50]!r}")
        try:
            wanted = ids.decode(text)
        except ids.BadIdError as error:
            raise UnknownChannelError(str(error)) from error
        with store_errors():
            return await (self._user if kind == "user" else self._photo)(identity.user_id, wanted)

    async def _user(self, viewer_id: int, user_id: int) -> Grant:
        if not await social.may_see(self._db, viewer_id, user_id):
            raise PermissionDeniedError("this profile is not yours to hear")
        return Grant(topic=live_topics.user_topic(user_id), owner_id=user_id)

    async def _photo(self, viewer_id: int, photo_id: int) -> Grant:
        try:
            photo = await photos.get(self._db, photo_id, viewer_id=viewer_id)
        except NotFoundError as error:
            raise PermissionDeniedError("this photo is not yours to hear") from error
        return Grant(topic=live_topics.photo_topic(photo_id), owner_id=photo.author.id)
