"""The root type of subscriptions: each field is a stream or a topic of the live layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import strawberry

from channels.contract.ports import Position
from server.edge.problem import bad_field
from server.graphql.fields import ResolverContext, Results, batch
from server.graphql.objects.scalars import BigInt
from server.graphql.resolution.described import input_type, object_type
from server.graphql.resolution.node_ids import NodeKind
from server.graphql.subscriptions.events import (
    Event,
    FeedEvent,
    NotificationEvent,
    PhotoEvent,
    PresenceEvent,
    UserEvent,
)


@input_type
class StreamPositionInput:
    """A position in a live stream: of the last event that the client has, or of the page that it shows."""

    epoch: str = strawberry.field(description="The epoch of the stream.")
    offset: BigInt = strawberry.field(description="The number of the last publication.")


_Since = Annotated[
    StreamPositionInput | None,
    strawberry.argument(description="Continue from this position; without it, from now on."),
]
_Id = Annotated[strawberry.ID, strawberry.argument(description="The node id.")]


def _stream(events: Sequence[Event], _context: ResolverContext, since: _Since = None) -> Results[Event]:
    del since  # used when the subscription starts
    return events


def _topic(events: Sequence[Event], _context: ResolverContext, id: _Id) -> Results[Event]:  # noqa: A002
    del id  # as above
    return events


@object_type
class Subscription:
    """What a client receives as soon as it happens. The fields of an event come from the event alone."""

    feed: FeedEvent = batch(_stream, description="The viewer's home feed.")
    notifications: NotificationEvent = batch(_stream, description="The viewer's notifications.")
    photo: PhotoEvent = batch(_topic, description="The likes and comments of a photo that the viewer may see.")
    user: UserEvent = batch(_topic, description="The photos and names of a user whose profile the viewer may see.")
    presence: PresenceEvent = batch(_topic, description="Whether a user is online whose presence the viewer may see.")


_KINDS = {"photo": NodeKind.PHOTO, "user": NodeKind.USER, "presence": NodeKind.USER}


def channel_of(field: str, arguments: Mapping[str, Any]) -> str:
    """Return the live stream or channel of a field; raise a 400 for the id of another kind of object."""
    kind = _KINDS.get(field)
    return field if kind is None else f"{field}:{kind.raw(arguments['id'], 'id')}"


def since_of(arguments: Mapping[str, Any]) -> Position | None:
    """Return the position from which to continue, if one is given; raise a 400 for one that cannot be."""
    since: StreamPositionInput | None = arguments.get("since")
    if since is None:
        return None
    if type(since.offset) is not int or since.offset < 0:
        raise bad_field("since.offset", "This should be a whole number of 0 or more.")
    return Position(epoch=since.epoch, offset=since.offset)
