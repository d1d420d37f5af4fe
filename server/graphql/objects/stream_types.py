"""Positions in live streams, and the connections that have one."""

from __future__ import annotations

from server.graphql.fields import leaf
from server.graphql.objects.photo_types import Photo
from server.graphql.objects.scalars import BigInt, Time
from server.graphql.resolution.connections import Connection
from server.graphql.resolution.described import object_type


@object_type
class StreamPosition:
    """A position in a live stream: the page shows every publication up to it."""

    epoch: str = leaf(description="The epoch of the stream.")
    offset: BigInt = leaf(description="The number of the last publication.")


@object_type
class FeedConnection(Connection[Photo]):
    """A page of a feed."""

    stream: StreamPosition | None = leaf(
        weight=0, description="The position from which to go on live; null on later pages."
    )
    since: Time | None = leaf(description="The time from which on highlights are; null if they are all that there are.")
