"""What the resolvers of one request share: the viewer, the services, and the values that were read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from channels.contract.ports import Presence
from server.actions.catalog import Actions
from server.actions.search import SearchActions
from server.api.home_feed import HomeFeed
from server.api.photo_feeds import PhotoFeeds
from server.api.photo_serializer import PhotoSerializer
from server.api.services import Services
from server.api.upload_posts import UploadPosts
from server.edge.api_request import ApiRequest
from server.edge.idempotency import Idempotency
from server.edge.list_responses import AccountListResponse
from server.edge.paging import Cursors
from server.edge.responses import ProfileResponse
from server.graphql.resolution.loaders import Loader
from server.graphql.resolution.rules import EndpointRules, RuledContext
from storage.ids import decode
from storage.models import Collection, Comment, Photo
from storage.postgres.database import Queryable
from storage.render.collection import collection_json
from storage.render.comment import comment_fields
from storage.render.user_summary import user_summary_fields
from storage.stores import account_lists
from storage.stores.accounts import profiles
from storage.stores.nested import nested_collections, nested_comments, nested_photos
from storage.stores.saved import collection_items
from storage.stores.social import lists, tag_follows

T = TypeVar("T")
Source = dict[str, Any]  # the value of an object: what the REST API represents it by


@dataclass(frozen=True, kw_only=True)
class SharedServices:
    """Dependencies of the resolvers, which all requests share."""

    services: Services
    rules: EndpointRules
    cursors: Cursors
    serializer: PhotoSerializer
    home: HomeFeed
    feeds: PhotoFeeds
    search: SearchActions
    idempotency: Idempotency
    posts: UploadPosts


class RequestContext(RuledContext):
    """One request, its viewer, and loaders of what several fields read."""

    def __init__(self, request: ApiRequest, shared: SharedServices) -> None:
        super().__init__()
        self.request = request
        self.shared = shared
        self.rules = shared.rules
        self.viewer_id = request.viewer_id
        self.photos: Loader[int, Source] = Loader(self._read_photos)
        self.saved: Loader[int, bool] = Loader(self._read_saved)
        self.comments: Loader[int, Source] = Loader(self._read_comments)
        self.users: Loader[int, Source] = Loader(self._read_users)
        self.profiles: Loader[int, Source] = Loader(self._read_profiles)
        self.collections: Loader[int, Source] = Loader(self._read_collections)
        self.lists: Loader[int, Source] = Loader(self._read_lists)
        self.presence: Loader[int, Presence] = Loader(self._read_presence)

    @property
    def services(self) -> Services:
        """Return the services of the REST API."""
        return self.shared.services

    @property
    def actions(self) -> Actions:
        """Return the use cases."""
        return self.shared.services.actions

    async def read(self, query: Callable[[Queryable], Awaitable[T]]) -> T:
        """Return what a query of the viewer reads, on a replica where that may be."""
        return await self.services.reads.read(self.viewer_id, query)

    @asynccontextmanager
    async def writing(self, endpoint: str) -> AsyncIterator[None]:
        """Apply the rules of an endpoint that writes, and let the viewer's next reads see the write."""
        await self.rules.apply(self.request, endpoint)
        self.forget()
        try:
            yield
        finally:
            # Also after an error: a write may have been committed before it, or its commit not been answered.
            await self.services.reads.keep_position(self.request.viewer.user_id)

    def forget(self) -> None:
        """Read everything again that is needed after a write."""
        for value in vars(self).values():
            if isinstance(value, Loader):
                value.forget()

    async def photo_sources(self, photos: Sequence[Photo]) -> list[Source]:
        """Return the values of photos that the viewer may see, with the viewer's likes."""
        return [orjson.loads(json) for json in await self.shared.serializer.serialize(photos, self.viewer_id)]

    async def comment_sources(self, comments: Sequence[Comment]) -> list[Source]:
        """Return the values of comments."""
        return [comment_fields(comment) for comment in comments]

    async def collection_sources(self, collections: Sequence[Collection]) -> list[Source]:
        """Return the values of collections."""
        return [orjson.loads(collection_json(collection)) for collection in collections]

    @staticmethod
    def number(source: Source) -> int:
        """Return the id of an object by its value."""
        return decode(source["id"])

    async def followed_tags(self) -> frozenset[str]:
        """Return the tags that the viewer follows."""
        viewer_id = self.request.viewer.user_id
        return frozenset(await self.read(lambda db: tag_follows.followed(db, viewer_id)))

    async def _read_photos(self, photo_ids: Sequence[int]) -> Mapping[int, Source]:
        found = await self.read(lambda db: nested_photos.by_ids(db, photo_ids, viewer_id=self.viewer_id))
        serialize_one = self.shared.serializer.serialize_one
        return {
            photo_id: orjson.loads(serialize_one(photo, self.viewer_id, liked=liked))
            for photo_id, (photo, liked) in found.items()
        }

    async def _read_saved(self, photo_ids: Sequence[int]) -> Mapping[int, bool]:
        viewer_id = self.viewer_id
        if viewer_id is None:
            return {}
        saved = await self.read(lambda db: collection_items.saved_among(db, photo_ids, owner_id=viewer_id))
        return {photo_id: photo_id in saved for photo_id in photo_ids}

    async def _read_comments(self, comment_ids: Sequence[int]) -> Mapping[int, Source]:
        found = await self.read(lambda db: nested_comments.by_ids(db, comment_ids, viewer_id=self.viewer_id))
        return {comment_id: comment_fields(comment) for comment_id, comment in found.items()}

    async def _read_users(self, user_ids: Sequence[int]) -> Mapping[int, Source]:
        found = await self.read(lambda db: account_lists.summaries(db, user_ids, viewer_id=self.viewer_id))
        return {user_id: user_summary_fields(user) for user_id, user in found.items()}

    async def _read_profiles(self, user_ids: Sequence[int]) -> Mapping[int, Source]:
        found = await self.read(lambda db: profiles.by_ids(db, user_ids, viewer_id=self.viewer_id))
        return {user_id: self.profile_source(profile) for user_id, profile in found.items()}

    def profile_source(self, profile: profiles.Profile) -> Source:
        """Return the value of a user with the whole profile."""
        user, relation, presence_visible = profile
        shown = None if self.viewer_id is None or self.viewer_id == user.id else relation
        source = ProfileResponse.from_model(user, shown, None).model_dump()
        return {**source, "presence_visible": presence_visible}

    async def _read_collections(self, collection_ids: Sequence[int]) -> Mapping[int, Source]:
        found = await self.read(lambda db: nested_collections.by_ids(db, collection_ids, viewer_id=self.viewer_id))
        return dict(zip(found, await self.collection_sources(list(found.values())), strict=True))

    async def _read_lists(self, list_ids: Sequence[int]) -> Mapping[int, Source]:
        viewer_id = self.request.viewer.user_id
        found = await self.read(lambda db: lists.by_ids(db, list_ids, owner_id=viewer_id))
        return {each.id: AccountListResponse.from_model(each).model_dump() for each in found}

    async def _read_presence(self, user_ids: Sequence[int]) -> Mapping[int, Presence]:
        found = await self.profiles.many(user_ids)
        visible = [
            user_id
            for user_id, profile in zip(user_ids, found, strict=True)
            if profile is not None and profile["presence_visible"]
        ]
        # The commands leave together, and wait for one round trip.
        known = await asyncio.gather(*(self.actions.presence.if_known(user_id) for user_id in visible))
        return {user_id: presence for user_id, presence in zip(visible, known, strict=True) if presence is not None}
