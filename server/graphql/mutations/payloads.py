"""Payloads of mutations: what has changed, or why it was refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import strawberry

from server.graphql.fields import Results, batch, leaf
from server.graphql.objects.account_types import Account, Appeal, Report
from server.graphql.objects.collection_types import AccountList, Collection
from server.graphql.objects.comment_types import Comment
from server.graphql.objects.discovery_types import Tag
from server.graphql.objects.notification_types import Digest, NotificationCounters, NotificationPreference, QuietHours
from server.graphql.objects.photo_types import Photo
from server.graphql.objects.user_types import User
from server.graphql.queries import inbox
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import interface_type, object_type
from server.graphql.resolution.refusals import UserError
from server.graphql.resolution.rules import permitted

# Who may read what a mutation has changed is decided as for any other read.
_ENDPOINTS = {
    "photos": "GET /photos/{id}",
    "comments": "GET /comments/{id}",
    "profiles": "GET /users/{id}",
    "collections": "GET /collections/{id}",
    "lists": "GET /lists/{id}",
}


def _changed(name: str, loader: str) -> Callable[..., Any]:
    """Return the resolver of an object: the entry `name` of the payload, or what is read by the entry `name`_id."""

    async def resolve(payloads: Sequence[Source], context: RequestContext) -> Results[Source | None]:
        found = await getattr(context, loader).many(payload.get(f"{name}_id") for payload in payloads)
        return [payload.get(name) or value for payload, value in zip(payloads, found, strict=True)]

    return permitted(_ENDPOINTS[loader], resolve)


async def _counters(payloads: Sequence[Source], context: RequestContext) -> Results[Source | None]:
    # One mutation has one payload.
    return [None if payload["errors"] else await inbox.counters(context) for payload in payloads]


def _replayed(payloads: Sequence[Source], _context: RequestContext) -> Results[bool]:
    return [bool(payload.get("replayed")) for payload in payloads]


@interface_type
class Payload:
    """What every mutation returns."""

    errors: list[UserError] = leaf(
        weight=0, size=1, description="Why nothing was changed; empty if the mutation was carried out."
    )


@interface_type
class CreationPayload(Payload):
    """What mutations return that take an idempotency key."""

    replayed: bool = batch(
        _replayed, description="Whether the key was used before, so that this is the result of that time."
    )


@object_type
class PhotoPayload(CreationPayload):
    """A photo after a change."""

    photo: Photo | None = batch(_changed("photo", "photos"), description="The photo; null if it was refused.")


@object_type
class CommentPayload(CreationPayload):
    """A comment after a change."""

    comment: Comment | None = batch(_changed("comment", "comments"), description="The comment; null if it was refused.")


@object_type
class UserPayload(Payload):
    """A user after a change of the viewer's relation to them."""

    user: User | None = batch(
        _changed("user", "profiles"), description="The user; null if it was refused, or cannot be seen any more."
    )


@object_type
class CollectionPayload(CreationPayload):
    """A collection after a change."""

    collection: Collection | None = batch(
        _changed("collection", "collections"), description="The collection; null if it was refused."
    )


@object_type
class AccountListPayload(CreationPayload):
    """A list of accounts after a change."""

    list: AccountList | None = batch(_changed("list", "lists"), description="The list; null if it was refused.")


@object_type
class DeletionPayload(Payload):
    """What was deleted."""

    deleted_id: strawberry.ID | None = leaf(description="The id of what was deleted; null if it was refused.")


@object_type
class TagPayload(Payload):
    """A tag after it was followed or unfollowed."""

    tag: Tag | None = leaf(description="The tag; null if it was refused.")


@object_type
class NotificationsPayload(Payload):
    """The inbox after a change."""

    counters: NotificationCounters | None = batch(
        permitted("GET /notifications/counters", _counters),
        description="The numbers of new notifications; null if it was refused.",
    )


@object_type
class PreferencesPayload(Payload):
    """Which notifications reach the viewer after a change."""

    preferences: list[NotificationPreference] | None = leaf(
        size=20, description="The audiences of each kind; null if it was refused."
    )


@object_type
class QuietHoursPayload(Payload):
    """The quiet hours after a change."""

    quiet_hours: QuietHours | None = leaf(description="The quiet hours; null if it was refused.")


@object_type
class DigestPayload(Payload):
    """The digest after a change."""

    digest: Digest | None = leaf(description="How often it is sent; null if it was refused.")


@object_type
class AccountPayload(Payload):
    """The viewer's account after a change."""

    account: Account | None = leaf(description="The account; null if it was refused.")


@object_type
class ReportPayload(Payload):
    """A report."""

    report: Report | None = leaf(description="The report, or the earlier one about the same; null if it was refused.")


@object_type
class AppealPayload(Payload):
    """An appeal."""

    appeal: Appeal | None = leaf(description="The appeal; null if it was refused.")
