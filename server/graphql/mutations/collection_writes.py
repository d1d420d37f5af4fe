"""Create, edit and delete collections of photos, and lists of accounts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from server.edge.collection_requests import CollectionCreate, CollectionUpdate
from server.edge.list_requests import AccountListCreate, AccountListUpdate
from server.edge.list_responses import AccountListResponse
from server.edge.problem import bad_field
from server.graphql.mutations.writes import (
    CollectionId,
    IdempotencyKey,
    ListId,
    PhotoId,
    UserId,
    create,
    created,
    given,
    option,
)
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import input_type
from server.graphql.resolution.node_ids import NodeKind
from storage.postgres.database import Transaction
from storage.render.collection import collection_json

Title = Annotated[str, strawberry.argument(description="The title.")]
Public = Annotated[bool, strawberry.argument(description="Whether others may see the collection.")]
Behind = Annotated[
    strawberry.ID | None, strawberry.argument(description="The id of the photo in front of it; null for the front.")
]


@input_type
class CollectionChanges:
    """Changes of a collection; what is left out stays unchanged."""

    title: str | None = option("The title.")
    public: bool | None = option("Whether others may see the collection.")
    order: list[strawberry.ID] | None = option("The photos that come first, in their order; the others follow.")


async def create_collection(
    context: RequestContext, title: Title, public: Public = False, idempotency_key: IdempotencyKey = None
) -> Source:
    """Create a collection."""
    form, viewer_id = CollectionCreate.model_validate({"title": title, "public": public}), _viewer(context)

    async def write(tx: Transaction) -> bytes:
        made = await context.actions.collections.create(tx, viewer_id, title=form.title, public=form.public)
        return collection_json(made)

    return created("collection", await create(context, idempotency_key, "/collections", form, write))


async def edit_collection(context: RequestContext, collection: CollectionId, changes: CollectionChanges) -> Source:
    """Change the title of a collection, who sees it, and the order of its photos."""
    collection_id, values = _collection(collection), given(changes)
    if values.get("order") is not None:
        values["order"] = [NodeKind.PHOTO.raw(photo, "order") for photo in values["order"]]
    form = CollectionUpdate.model_validate(values)
    await context.actions.collections.edit(
        _viewer(context), collection_id, title=form.title, public=form.public, order=form.order
    )
    return {"collection_id": collection_id}


async def delete_collection(context: RequestContext, collection: CollectionId) -> Source:
    """Delete a collection."""
    await context.actions.collections.delete(_viewer(context), _collection(collection))
    return {"deleted_id": collection}


async def add_to_collection(context: RequestContext, collection: CollectionId, photo: PhotoId) -> Source:
    """Put a photo in front of a collection."""
    collection_id = _collection(collection)
    await context.actions.collections.add(_viewer(context), collection_id, NodeKind.PHOTO.decode(photo, "photo"))
    return {"collection_id": collection_id}


async def move_in_collection(
    context: RequestContext, collection: CollectionId, photo: PhotoId, after: Behind = None
) -> Source:
    """Move a photo of a collection."""
    collection_id, photo_id = _collection(collection), NodeKind.PHOTO.decode(photo, "photo")
    after_id = None if after is None else NodeKind.PHOTO.decode(after, "after")
    if after_id == photo_id:
        raise bad_field("after", "A photo cannot be behind itself. Name another one, or null.", status=422)
    await context.actions.collections.move(_viewer(context), collection_id, photo_id, after_id=after_id)
    return {"collection_id": collection_id}


async def remove_from_collection(context: RequestContext, collection: CollectionId, photo: PhotoId) -> Source:
    """Remove a photo from a collection."""
    collection_id = _collection(collection)
    await context.actions.collections.remove(_viewer(context), collection_id, NodeKind.PHOTO.decode(photo, "photo"))
    return {"collection_id": collection_id}


async def create_list(context: RequestContext, title: Title, idempotency_key: IdempotencyKey = None) -> Source:
    """Create a list of accounts."""
    form, viewer_id = AccountListCreate.model_validate({"title": title}), _viewer(context)

    async def write(tx: Transaction) -> bytes:
        return AccountListResponse.from_model(
            await context.actions.lists.create(tx, viewer_id, title=form.title)
        ).to_bytes()

    return created("list", await create(context, idempotency_key, "/lists", form, write))


async def rename_list(context: RequestContext, list: ListId, title: Title) -> Source:  # noqa: A002
    """Rename a list of accounts."""
    list_id, form = _list(list), AccountListUpdate.model_validate({"title": title})
    await context.actions.lists.rename(_viewer(context), list_id, title=form.title)
    return {"list_id": list_id}


async def delete_list(context: RequestContext, list: ListId) -> Source:  # noqa: A002
    """Delete a list of accounts."""
    await context.actions.lists.delete(_viewer(context), _list(list))
    return {"deleted_id": list}


async def add_to_list(context: RequestContext, list: ListId, user: UserId) -> Source:  # noqa: A002
    """Add an account to a list."""
    list_id = _list(list)
    await context.actions.lists.add(_viewer(context), list_id, NodeKind.USER.decode(user, "user"))
    return {"list_id": list_id}


async def remove_from_list(context: RequestContext, list: ListId, user: UserId) -> Source:  # noqa: A002
    """Remove an account from a list."""
    list_id = _list(list)
    await context.actions.lists.remove(_viewer(context), list_id, NodeKind.USER.decode(user, "user"))
    return {"list_id": list_id}


def _viewer(context: RequestContext) -> int:
    return context.request.viewer.user_id


def _collection(text: str) -> int:
    return NodeKind.COLLECTION.decode(text, "collection")


def _list(text: str) -> int:
    return NodeKind.LIST.decode(text, "list")
