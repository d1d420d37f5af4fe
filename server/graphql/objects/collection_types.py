"""Collections of photos, and lists of accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import strawberry

from server.graphql.fields import Results, batch, leaf
from server.graphql.objects.node import Node
from server.graphql.objects.photo_types import Photo
from server.graphql.objects.scalars import Time
from server.graphql.objects.user_types import User, listed_users
from server.graphql.resolution.connections import DEFAULT_FIRST, After, Connection, First, Page, numbered, pages
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.node_ids import NodeKind, node_ids
from server.graphql.resolution.rules import permitted
from storage import models
from storage.ids import decode
from storage.stores.nested import nested_photos, nested_users
from storage.stores.saved import collection_items

_Item = tuple[int, models.Photo]


async def _covers(collections: Sequence[Source], context: RequestContext) -> Results[Source | None]:
    ids = [decode(collection["id"]) for collection in collections]
    found = await context.read(lambda db: collection_items.covers(db, ids, viewer_id=context.viewer_id))
    sources = dict(zip(found, await context.photo_sources(list(found.values())), strict=True))
    return [sources.get(collection_id) for collection_id in ids]


async def _photos(
    collections: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
) -> Results[Page]:
    async def read(starts: Mapping[int, int | None], limit: int) -> dict[int, list[_Item]]:
        return await context.read(
            lambda db: nested_photos.of_collections(db, starts, viewer_id=context.viewer_id, limit=limit)
        )

    async def sources(items: Sequence[_Item]) -> list[Source]:
        return await context.photo_sources([photo for _, photo in items])

    listing = numbered(lambda key: f"photos of {key}", read, sources, lambda item: item[0])
    ids = [decode(collection["id"]) for collection in collections]
    return await pages(context, ids, listing, first=first, after=after)


async def _accounts(
    lists: Sequence[Source], context: RequestContext, first: First = DEFAULT_FIRST, after: After = None
) -> Results[Page]:
    # A list is a value of its owner's queries alone.
    owner_id = context.request.viewer.user_id

    async def read(starts: Mapping[int, int | None], limit: int) -> nested_users.Lists:
        return await context.read(lambda db: nested_users.members(db, starts, owner_id=owner_id, limit=limit))

    listing = numbered(lambda key: f"accounts of list {key}", read, listed_users, lambda row: row.position)
    return await pages(context, [decode(each["id"]) for each in lists], listing, first=first, after=after)


@object_type
class Collection(Node):
    """A list of photos that a user keeps under a title."""

    id: strawberry.ID = batch(node_ids(NodeKind.COLLECTION), description="The id, as `K-01K3S9C0XG4Q7`.")
    owner: User = leaf(description="The account that keeps the photos.")
    title: str = leaf(description="The title.")
    public: bool = leaf(description="Whether others may see the collection.")
    created_at: Time = leaf(description="When the collection was created.")
    cover: Photo | None = batch(
        permitted("GET /users/{id}/collections", _covers), description="The first photo that the viewer may see."
    )
    photos: Connection[Photo] | None = batch(
        permitted("GET /collections/{id}/items", _photos),
        description="The photos that the viewer may see, in their order.",
    )


@object_type
class AccountList(Node):
    """A list of accounts whose photos its owner reads apart; only the owner sees it."""

    id: strawberry.ID = batch(node_ids(NodeKind.LIST), description="The id, as `L-01K3S9C0XG4Q7`.")
    title: str = leaf(description="The title.")
    account_count: int = leaf(key="accounts", description="The number of accounts.")
    created_at: Time = leaf(description="When the list was created.")
    accounts: Connection[User] | None = batch(
        permitted("GET /lists/{id}/accounts", _accounts), description="The accounts, newest account first."
    )
