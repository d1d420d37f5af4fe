"""Objects by their ids or names; null for what is not there or may not be seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Annotated

import strawberry

from server.edge.problem import bad_field
from server.graphql.fields import TYPE_NAME
from server.graphql.queries.sources import decision_source
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.node_ids import NodeKind, parse
from storage.errors import NotFoundError
from storage.render.notification import notification_fields
from storage.stores.accounts import profiles
from storage.stores.moderation import decisions
from storage.stores.notifications import notifications

MAX_NODES = 100

NodeId = Annotated[strawberry.ID, strawberry.argument(description="The id, which begins with the type's letter.")]
UserId = Annotated[strawberry.ID | None, strawberry.argument(description="The id of a user, as `U-01K3S9C0XG4Q7`.")]
Username = Annotated[
    str | None, strawberry.argument(description="A username; a former one finds the account for 30 days.")
]

# By kind: the REST endpoint that reads such an object, and what reads several.
Read = Callable[[RequestContext, Sequence[int]], Awaitable[Mapping[int, Source]]]


async def node(context: RequestContext, id: NodeId) -> Source | None:  # noqa: A002 - the argument's name
    """Return an object of any type."""
    return (await nodes(context, [id]))[0]


async def nodes(context: RequestContext, ids: list[strawberry.ID]) -> list[Source | None]:
    """Return objects of any types, one for each id, in their order."""
    if len(ids) > MAX_NODES:
        raise bad_field("ids", f"Name at most {MAX_NODES} objects.")
    argument = "ids" if len(ids) > 1 else "id"
    wanted = [parse(text, argument) for text in ids]
    found: dict[tuple[NodeKind, int], Source] = {}
    for kind in dict.fromkeys(kind for kind, _ in wanted):
        if kind not in READS:
            raise bad_field(argument, f"The type of {kind.word} cannot be requested by its id.")
        endpoint, read = READS[kind]
        context.rules.permit(context.request, endpoint)
        keys = list(dict.fromkeys(key for each, key in wanted if each is kind))
        values = await read(context, keys)
        found |= {(kind, key): {**value, TYPE_NAME: kind.type_name} for key, value in values.items()}
    return [found.get(each) for each in wanted]


async def photo(context: RequestContext, id: NodeId) -> Source | None:  # noqa: A002 - the argument's name
    """Return a photo."""
    return await context.photos.one(NodeKind.PHOTO.decode(id, "id"))


async def comment(context: RequestContext, id: NodeId) -> Source | None:  # noqa: A002 - the argument's name
    """Return a comment or reply."""
    return await context.comments.one(NodeKind.COMMENT.decode(id, "id"))


async def collection(context: RequestContext, id: NodeId) -> Source | None:  # noqa: A002 - the argument's name
    """Return a collection."""
    return await context.collections.one(NodeKind.COLLECTION.decode(id, "id"))


async def user(context: RequestContext, id: UserId = None, username: Username = None) -> Source | None:  # noqa: A002
    """Return an account by its id or its username."""
    if (id is None) == (username is None):
        raise bad_field("username", "Send either `id` or `username`.")
    if id is not None:
        return await context.profiles.one(NodeKind.USER.decode(id, "id"))
    name = username or ""
    if not name.isprintable() or not name.isascii():
        return None
    try:
        found = await context.read(lambda db: profiles.find(db, name, viewer_id=context.viewer_id))
    except NotFoundError:
        return None
    return context.profile_source(found)


def _loaded(name: str) -> Read:
    async def read(context: RequestContext, keys: Sequence[int]) -> Mapping[int, Source]:
        found = await getattr(context, name).many(keys)
        return _known(keys, found)

    return read


async def _notifications(context: RequestContext, keys: Sequence[int]) -> Mapping[int, Source]:
    viewer_id = context.request.viewer.user_id
    found = await context.read(lambda db: notifications.by_ids(db, viewer_id, keys))
    return {key: notification_fields(entry) for key, entry in found.items()}


async def _decisions(context: RequestContext, keys: Sequence[int]) -> Mapping[int, Source]:
    viewer_id = context.request.viewer.user_id
    found = await context.read(lambda db: decisions.by_ids(db, keys, owner_id=viewer_id))
    return {key: decision_source(decision) for key, decision in found.items()}


def _known(keys: Iterable[int], values: Iterable[Source | None]) -> dict[int, Source]:
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}


READS: Mapping[NodeKind, tuple[str, Read]] = {
    NodeKind.PHOTO: ("GET /photos/{id}", _loaded("photos")),
    NodeKind.USER: ("GET /users/{id}", _loaded("profiles")),
    NodeKind.COMMENT: ("GET /comments/{id}", _loaded("comments")),
    NodeKind.COLLECTION: ("GET /collections/{id}", _loaded("collections")),
    NodeKind.NOTIFICATION: ("GET /notifications", _notifications),
    NodeKind.LIST: ("GET /lists/{id}", _loaded("lists")),
    NodeKind.DECISION: ("GET /decisions/{id}", _decisions),
}
