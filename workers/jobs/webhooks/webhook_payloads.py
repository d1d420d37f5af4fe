"""The payload of a message to an endpoint, built at each attempt from the event's ids and what the database has then.

It never says more than the endpoint's owner may see. What is not so any more, such as a like that was removed, is not
sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from storage.errors import NotFoundError
from storage.ids import encode
from storage.models import PhotoState
from storage.moderation import Decider
from storage.postgres.database import Queryable
from storage.render.timestamps import timestamp
from storage.stores import account_lists
from storage.stores.comments import comments
from storage.stores.notifications.notification_text import excerpt_of
from storage.stores.photos import photo_moderation, photos
from storage.stores.webhooks import webhook_subjects
from storage.webhooks import PING, Delivery, Endpoint, EndpointScope
from workers.jobs.moderation.review_payloads import ReviewPayloads
from workers.webhooks import payloads
from workers.webhooks.payloads import (
    CommentAddedData,
    EventAccount,
    EventAuthor,
    LikeAddedData,
    PayloadModel,
    PhotoData,
    PhotoDeletedData,
    PhotoReadyData,
    PhotoRejectedData,
    PhotoUploadedData,
    PingData,
    UserFollowedData,
)

Fields = Mapping[str, Any]
# The types about a photo as it is, with the states in which the photo is sent: a hidden one only to moderation.
_PHOTOS: Mapping[str, tuple[type[PhotoData], frozenset[PhotoState]]] = {
    "photo.uploaded": (PhotoUploadedData, frozenset({PhotoState.PROCESSING})),
    "photo.ready": (PhotoReadyData, frozenset({PhotoState.READY, PhotoState.HIDDEN})),
}
# What a type's data are made of; the owner who looks at them, None for an endpoint over everything.
_Make = Callable[[Fields, int | None], Awaitable[PayloadModel | None]]


class PayloadBuilder:
    """Builds payloads; URLs in them begin with `public_url`."""

    def __init__(self, db: Queryable, *, public_url: str, reviews: ReviewPayloads | None = None) -> None:
        self._db = db
        self._public_url = public_url
        self._reviews = reviews
        self._makers: Mapping[str, _Make] = {
            "photo.rejected": self._photo_rejected,
            "photo.deleted": self._photo_deleted,
            "like.added": self._like_added,
            "comment.added": self._comment_added,
            "user.followed": self._user_followed,
            PING: self._ping,
        }

    async def build(self, endpoint: Endpoint, delivery: Delivery) -> bytes | None:
        """Return the body of a message, or None if it is not to be sent."""
        viewer_id = None if endpoint.scope is EndpointScope.ALL else endpoint.owner_id
        if delivery.type in _PHOTOS:
            data = await self._photo(endpoint, delivery)
        else:
            data = await self._makers[delivery.type](delivery.fields, viewer_id)
        return None if data is None else payloads.encode(delivery.type, timestamp(delivery.occurred_at), data)

    async def _photo(self, endpoint: Endpoint, delivery: Delivery) -> PayloadModel | None:
        """Return a photo for its author or an administrator, with more for a service that decides about it."""
        photo_id = delivery.fields["photo_id"]
        photo = (await photos.load(self._db, [photo_id])).get(photo_id)
        reviews = self._reviews if endpoint.moderation else None
        make, states = _PHOTOS[delivery.type]
        if photo is None or photo.state not in (states if reviews is not None else states - {PhotoState.HIDDEN}):
            return None
        if reviews is not None and await self._has_decided(endpoint, photo_id):
            return None
        fields: dict[str, Any] = {
            "photo_id": encode(photo.id),
            "author": EventAuthor(id=encode(photo.author.id), username=photo.author.username),
            "audience": photo.audience,
            "width": photo.width,
            "height": photo.height,
            "url": f"{self._public_url}/api/v1/photos/{encode(photo.id)}",
        }
        if reviews is not None:
            fields |= await reviews.fields(photo, endpoint.id)
        return make(**fields)

    async def _has_decided(self, endpoint: Endpoint, photo_id: int) -> bool:
        source = encode(endpoint.id)
        return await photo_moderation.given(self._db, photo_id, by=Decider.SERVICE, source=source) is not None

    async def _photo_rejected(self, fields: Fields, viewer_id: int | None) -> PayloadModel | None:
        del viewer_id
        photo = (await photos.load(self._db, [fields["photo_id"]])).get(fields["photo_id"])
        if photo is None or photo.state is not PhotoState.REJECTED:
            return None
        author = EventAccount(id=encode(photo.author.id), username=photo.author.username)
        return PhotoRejectedData(photo_id=encode(photo.id), author=author, reason=photo.reason)

    async def _photo_deleted(self, fields: Fields, viewer_id: int | None) -> PayloadModel | None:
        del viewer_id
        return PhotoDeletedData(photo_id=encode(fields["photo_id"]), author_id=encode(fields["author_id"]))

    async def _like_added(self, fields: Fields, viewer_id: int | None) -> PayloadModel | None:
        photo_id, user_id = fields["photo_id"], fields["user_id"]
        user = await self._account(user_id, viewer_id)
        if user is None or not await webhook_subjects.likes(self._db, photo_id, user_id):
            return None
        return LikeAddedData(photo_id=encode(photo_id), owner_id=encode(fields["owner_id"]), user=user)

    async def _comment_added(self, fields: Fields, viewer_id: int | None) -> PayloadModel | None:
        try:
            comment = await comments.get(self._db, fields["comment_id"])
        except NotFoundError:
            return None
        user = await self._account(comment.author.id, viewer_id)
        if user is None:
            return None
        return CommentAddedData(
            comment_id=encode(comment.id),
            photo_id=encode(comment.photo_id),
            owner_id=encode(fields["owner_id"]),
            user=user,
            reply_to=None if comment.reply_to is None else encode(comment.reply_to),
            excerpt=excerpt_of(comment.text),
        )

    async def _user_followed(self, fields: Fields, viewer_id: int | None) -> PayloadModel | None:
        followee_id, follower_id = fields["followee_id"], fields["follower_id"]
        follower = await self._account(follower_id, viewer_id)
        if follower is None or not await webhook_subjects.follows(self._db, followee_id, follower_id):
            return None
        return UserFollowedData(user_id=encode(followee_id), follower=follower)

    async def _ping(self, fields: Fields, viewer_id: int | None) -> PayloadModel | None:
        del viewer_id
        return PingData(endpoint_id=encode(fields["endpoint_id"]), challenge=fields["challenge"])

    async def _account(self, user_id: int, viewer_id: int | None) -> EventAccount | None:
        """Return an account, None if it is deleted, or separated from the viewer by a block."""
        found = (await account_lists.summaries(self._db, [user_id], viewer_id=viewer_id)).get(user_id)
        return None if found is None else EventAccount(id=encode(found.id), username=found.username)
