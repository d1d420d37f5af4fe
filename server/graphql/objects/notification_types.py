"""The viewer's notifications, their numbers, and which of them reach the viewer."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from server.graphql.fields import Results, batch, leaf
from server.graphql.objects.comment_types import Comment
from server.graphql.objects.node import Node
from server.graphql.objects.photo_types import Photo
from server.graphql.objects.scalars import Time
from server.graphql.objects.stream_types import StreamPosition
from server.graphql.objects.user_types import User
from server.graphql.resolution.connections import Connection
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.node_ids import NodeKind, node_ids
from server.graphql.resolution.rules import permitted
from storage import notification_channels, notifications, quiet_hours
from storage.ids import decode
from storage.stores.notifications.notification_preferences import DigestFrequency


async def _photos(entries: Sequence[Source], context: RequestContext) -> Results[Source | None]:
    ids = [entry["photo_id"] for entry in entries]
    return await context.photos.many(None if photo_id is None else decode(photo_id) for photo_id in ids)


async def _comments(entries: Sequence[Source], context: RequestContext) -> Results[Source | None]:
    excerpts = [entry["comment"] for entry in entries]
    return await context.comments.many(None if excerpt is None else decode(excerpt["id"]) for excerpt in excerpts)


def _excerpts(entries: Sequence[Source], _context: RequestContext) -> Results[str | None]:
    return [None if entry["comment"] is None else entry["comment"]["excerpt"] for entry in entries]


@object_type
class SecurityNotice:
    """What happened to the security of the viewer's account."""

    event: notifications.SecurityEvent = leaf(description="What happened.")
    device: str | None = leaf(description="The device from which it was caused; null if that is not known.")


@object_type
class Notification(Node):
    """An entry of the inbox, which groups activities."""

    id: strawberry.ID = batch(node_ids(NodeKind.NOTIFICATION), description="The id, as `N-01K3S9C0XG4Q7`.")
    position: strawberry.ID = leaf(description="Grows with each new activity; the inbox is sorted by it.")
    kind: notifications.NotificationKind = leaf(description="What the entry is about.")
    actors: list[User] = leaf(size=3, description="Up to three accounts whose activities these are, newest first.")
    count: int = leaf(description="The number of all of these accounts.")
    photo: Photo | None = batch(permitted("GET /photos/{id}", _photos), description="The photo that it is about.")
    comment: Comment | None = batch(
        permitted("GET /comments/{id}", _comments), description="The comment that it is about."
    )
    excerpt: str | None = batch(_excerpts, description="The beginning of that comment, in one line.")
    decision_id: strawberry.ID | None = batch(
        node_ids(NodeKind.DECISION, "decision_id"), description="The id of the decision that it is about."
    )
    security: SecurityNotice | None = leaf(weight=0, description="What happened to the viewer's account.")
    text: str = leaf(description="The sentence to show.")
    created_at: Time = leaf(description="When the first activity happened.")
    updated_at: Time = leaf(description="When the entry last changed.")
    seen: bool = leaf(description="Whether the entry was on a screen.")
    read: bool = leaf(description="Whether the entry was opened.")


@object_type
class KindCounters:
    """The numbers of notifications of one kind that are new."""

    kind: notifications.NotificationKind = leaf(description="The kind.")
    unseen: int = leaf(description="How many were on no screen yet.")
    unread: int = leaf(description="How many were not opened yet.")


def _kinds(counters: Sequence[Source], _context: RequestContext) -> Results[list[Source]]:
    return [[{"kind": kind, **numbers} for kind, numbers in each["kinds"].items()] for each in counters]


@object_type
class NotificationCounters:
    """The numbers of notifications that are new."""

    unseen: int = leaf(description="How many were on no screen yet: the number of the badge.")
    unread: int = leaf(description="How many were not opened yet.")
    kinds: list[KindCounters] = batch(_kinds, weight=0, size=10, description="Both numbers of each kind that has any.")


@object_type
class NotificationConnection(Connection[Notification]):
    """A page of the inbox."""

    stream: StreamPosition | None = leaf(
        weight=0, description="The position from which to go on live; null on later pages."
    )


@object_type
class ChannelPreference:
    """The audience of a channel, and those that can be chosen; with one alone there is no choice."""

    audience: notification_channels.Audience = leaf(description="Whose activities use the channel.")
    choices: list[notification_channels.Audience] = leaf(size=3, description="What can be chosen.")


@object_type
class NotificationPreference:
    """The audiences of one kind of notifications. Without `inbox`, the other channels do not get it either."""

    kind: notifications.NotificationKind = leaf(description="The kind.")
    inbox: ChannelPreference = leaf(weight=0, description="The list of notifications.")
    live: ChannelPreference = leaf(weight=0, description="Open pages.")
    push: ChannelPreference = leaf(weight=0, description="Devices.")
    email: ChannelPreference = leaf(weight=0, description="Mails.")


@object_type
class QuietHours:
    """The time in which there are no pushes and no mails about activities, by the clock in `zone`."""

    zone: str = leaf(description="The time zone.")
    begins: str | None = leaf(key="from", description="When they begin, as `22:00`; null without any.")
    ends: str | None = leaf(key="until", description="When they end, as `07:00`; null without any.")
    days: list[quiet_hours.Weekday] = leaf(size=7, description="The days on which they begin.")


@object_type
class Digest:
    """How often a mail is sent about what is new, at eight o'clock by the clock in `zone`."""

    frequency: DigestFrequency = leaf(description="How often.")
    zone: str = leaf(description="The time zone.")
