"""Users as a viewer sees them; what a list does not have of a user is read with one query for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from server.graphql.fields import Results, batch, leaf
from server.graphql.objects.node import Node
from server.graphql.objects.scalars import Time
from server.graphql.resolution.connections import DEFAULT_FIRST, After, Connection, First, Page, numbered, pages
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.node_ids import NodeKind, node_ids
from server.graphql.resolution.rules import permitted
from storage.ids import decode
from storage.models import Collection as StoredCollection
from storage.models import Photo as StoredPhoto
from storage.render.timestamps import timestamp_of
from storage.render.user_summary import user_summary_fields
from storage.stores.nested import nested_collections, nested_photos, nested_users
from storage.stores.nested.nested_users import Listed

if TYPE_CHECKING:
    from server.graphql.objects.collection_types import Collection
    from server.graphql.objects.photo_types import Photo

_PHOTO = strawberry.lazy("server.graphql.objects.photo_types")
_COLLECTION = strawberry.lazy("server.graphql.objects.collection_types")


def user_ids(users: Sequence[Source]) -> list[int]:
    """Return the ids of users by their values."""
    return [decode(user["id"]) for user in users]


def _of_profile(key: str) -> Callable[..., Any]:
    async def resolve(users: Sequence[Source], context: RequestContext) -> Results[Any]:
        if all(key in user for user in users):
            return [user[key] for user in users]
        found = await context.profiles.many(user_ids(users))
        return [None if profile is None else profile[key] for profile in found]

    return permitted("GET /users/{id}", resolve)


async def _online(users: Sequence[Source], context: RequestContext) -> Results[bool | None]:
    found = await context.presence.many(user_ids(users))
    return [None if presence is None else presence.online for presence in found]


async def _last_seen(users: Sequence[Source], context: RequestContext) -> Results[str | None]:
    found = await context.presence.many(user_ids(users))
    return [
        None if presence is None or presence.last_seen is None else timestamp_of(presence.last_seen)
        for presence in found
    ]


async def listed_users(rows: Sequence[Listed]) -> list[Source]:
    """Return the values of the users of a list."""
    return [user_summary_fields(row.user) for row in rows]


def _related(name: str, read: Callable[..., Any]) -> Callable[..., Any]:
    async def resolve(
        users: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
    ) -> Results[Page | None]:
        keys = user_ids(users)
        visible = await context.read(lambda db: nested_users.visible(db, keys, viewer_id=context.viewer_id))
        listing = numbered(
            lambda key: f"{name} of {key}",
            lambda starts, limit: context.read(lambda db: read(db, starts, viewer_id=context.viewer_id, limit=limit)),
            listed_users,
            lambda row: row.position,
        )
        shown = [key for key in dict.fromkeys(keys) if key in visible]
        found = dict(zip(shown, await pages(context, shown, listing, first=first, after=after), strict=True))
        return [found.get(key) for key in keys]

    return permitted(f"GET /users/{{id}}/{name}", resolve)


async def _photos(
    users: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
) -> Results[Page]:
    async def read(starts: Any, limit: int) -> dict[int, list[StoredPhoto]]:
        return await context.read(
            lambda db: nested_photos.of_authors(db, starts, viewer_id=context.viewer_id, limit=limit)
        )

    listing = numbered(lambda key: f"photos of {key}", read, context.photo_sources, lambda photo: photo.id)
    return await pages(context, user_ids(users), listing, first=first, after=after)


async def _collections(
    users: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
) -> Results[Page]:
    async def read(starts: Any, limit: int) -> dict[int, list[StoredCollection]]:
        return await context.read(
            lambda db: nested_collections.of_owners(db, starts, viewer_id=context.viewer_id, limit=limit)
        )

    listing = numbered(
        lambda key: f"collections of {key}", read, context.collection_sources, lambda collection: collection.id
    )
    return await pages(context, user_ids(users), listing, first=first, after=after)


@object_type
class Relation:
    """The relation between the viewer and a user."""

    following: bool = leaf(description="Whether the viewer follows the user.")
    requested: bool = leaf(description="Whether the viewer has asked to follow the user, whose account is private.")
    followed_by: bool = leaf(description="Whether the user follows the viewer.")
    blocking: bool = leaf(description="Whether the viewer blocks the user.")
    muting: bool = leaf(description="Whether the viewer mutes the user.")
    close_friend: bool = leaf(description="Whether the user is one of the viewer's close friends.")
    bell: bool = leaf(description="Whether the viewer is notified of each new photo of the user.")


@object_type
class User(Node):
    """An account. What may not be seen of it is null."""

    id: strawberry.ID = batch(node_ids(NodeKind.USER), description="The id, as `U-01K3S9C0XG4Q7`.")
    username: str = leaf(description="The name in addresses and mentions, without `@`.")
    display_name: str = leaf(description="The name that is shown.")
    avatar_url: str | None = leaf(description="The path of the avatar.")
    banner_url: str | None = batch(_of_profile("banner_url"), description="The path of the banner.")
    bio: str | None = batch(_of_profile("bio"), description="What the user says about themselves.")
    private: bool | None = batch(_of_profile("private"), description="Whether followers alone see the photos.")
    follower_count: int | None = batch(_of_profile("followers"), description="The number of followers.")
    following_count: int | None = batch(_of_profile("following"), description="The number of followed accounts.")
    photo_count: int | None = batch(_of_profile("photos"), description="The number of photos.")
    created_at: Time | None = batch(_of_profile("created_at"), description="When the account was created.")
    relation: Relation | None = batch(
        _of_profile("relation"), description="The relation to the viewer; null for visitors and the viewer's own."
    )
    online: bool | None = batch(
        permitted("GET /users/{id}", _online),
        weight=1,
        description="Whether the user is online; null unless the viewer may know it.",
    )
    last_seen: Time | None = batch(
        permitted("GET /users/{id}", _last_seen),
        weight=1,
        description="When the user was last online, within the last 30 days.",
    )
    followers: Connection[User] | None = batch(
        _related("followers", nested_users.followers),
        description="The followers, newest account first; null unless the viewer may see the user's photos.",
    )
    following: Connection[User] | None = batch(
        _related("following", nested_users.following),
        description="The accounts that the user follows, as `followers`.",
    )
    photos: Connection[Annotated["Photo", _PHOTO]] | None = batch(  # noqa: UP037
        permitted("GET /users/{id}/photos", _photos),
        description="The photos that the viewer may see, newest first; one's own in every state.",
    )
    collections: Connection[Annotated["Collection", _COLLECTION]] | None = batch(  # noqa: UP037
        permitted("GET /users/{id}/collections", _collections),
        description="The public collections, or all of one's own, newest first.",
    )
