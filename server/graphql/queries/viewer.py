"""The viewer: what belongs to the signed-in user alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from server.graphql.fields import batch
from server.graphql.objects.account_types import Account, Decision, Report
from server.graphql.objects.collection_types import AccountList, Collection
from server.graphql.objects.discovery_types import SuggestedUser, Tag
from server.graphql.objects.notification_types import (
    Digest,
    NotificationConnection,
    NotificationCounters,
    NotificationPreference,
    QuietHours,
)
from server.graphql.objects.photo_types import Photo
from server.graphql.objects.stream_types import FeedConnection
from server.graphql.objects.user_types import User
from server.graphql.queries import feeds, inbox
from server.graphql.queries.sources import account_source, decision_source, list_source, report_source
from server.graphql.resolution.connections import (
    DEFAULT_FIRST,
    After,
    Connection,
    First,
    Page,
    numbered,
    page_of,
)
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import object_type
from server.graphql.resolution.rules import own
from server.identity.errors import SessionRevokedError
from storage import models
from storage.errors import NotFoundError
from storage.postgres.database import Queryable
from storage.render.user_summary import user_summary_fields
from storage.stores.accounts import users
from storage.stores.moderation import decisions, reports
from storage.stores.saved import collection_items, photo_collections
from storage.stores.social import lists, relations, tag_follows

R = TypeVar("R")


async def _account(context: RequestContext) -> Source:
    user_id = context.request.viewer.user_id
    try:
        return account_source(await context.read(lambda db: users.get(db, user_id)))
    except NotFoundError as error:
        # The account was deleted a moment ago, and its sessions are just being revoked.
        raise SessionRevokedError from error


async def _user(context: RequestContext) -> Source:
    user_id = context.request.viewer.user_id
    found = await context.profiles.one(user_id)
    if found is None:
        raise SessionRevokedError
    return found


def _own_list(
    name: str,
    read: Callable[[Queryable, int, int | None, int], Awaitable[Sequence[R]]],
    sources: Callable[[RequestContext, Sequence[R]], Awaitable[list[Source]]],
    place: Callable[[R], int],
) -> Callable[..., Awaitable[Page]]:
    """Return the resolver of a list that belongs to the viewer; `read` takes the user's id, the place and the limit."""

    async def resolve(context: RequestContext, first: First = DEFAULT_FIRST, after: After = None) -> Page:
        user_id = context.request.viewer.user_id

        async def read_one(starts: Mapping[int, int | None], limit: int) -> dict[int, Sequence[R]]:
            return {
                owner: await context.read(lambda db, owner=owner, before=before: read(db, owner, before, limit))  # type: ignore[misc]
                for owner, before in starts.items()
            }

        async def sources_of(rows: Sequence[R]) -> list[Source]:
            return await sources(context, rows)

        listing = numbered(lambda owner: f"{name} {owner}", read_one, sources_of, place)
        return await page_of(context, user_id, listing, first=first, after=after)

    return resolve


async def _saved(db: Queryable, owner_id: int, before: int | None, limit: int) -> list[tuple[int, models.Photo]]:
    collection_id = await photo_collections.find_saved(db, owner_id)
    if collection_id is None:
        return []
    return await collection_items.page(db, collection_id, viewer_id=owner_id, before=before, limit=limit)


async def _photos_of_items(context: RequestContext, rows: Sequence[tuple[int, models.Photo]]) -> list[Source]:
    return await context.photo_sources([photo for _, photo in rows])


async def _users_of(_context: RequestContext, rows: Sequence[models.User]) -> list[Source]:
    return [user_summary_fields(user) for user in rows]


def _users(name: str, read: Callable[..., Awaitable[list[models.User]]]) -> Callable[..., Awaitable[Page]]:
    return _own_list(
        name,
        lambda db, owner_id, before, limit: read(db, owner_id, before=before, limit=limit),
        _users_of,
        lambda user: user.id,
    )


def _mapped(source: Callable[[Any], Source]) -> Callable[[RequestContext, Sequence[Any]], Awaitable[list[Source]]]:
    async def sources(_context: RequestContext, rows: Sequence[Any]) -> list[Source]:
        return [source(row) for row in rows]

    return sources


async def _collections_of(context: RequestContext, rows: Sequence[models.Collection]) -> list[Source]:
    return await context.collection_sources(rows)


async def _tags(context: RequestContext) -> list[Source]:
    user_id = context.request.viewer.user_id
    return [{"tag": tag} for tag in await context.read(lambda db: tag_follows.followed(db, user_id))]


async def viewer(context: RequestContext) -> Source | None:
    """Return the viewer, None for a visitor; each field is read by itself."""
    return None if context.viewer_id is None else {}


@object_type
class Viewer:
    """The signed-in user, and what belongs to the user alone."""

    user: User | None = batch(own("GET /users/{id}", _user), description="The account as others see it.")
    account: Account | None = batch(own("GET /users/me", _account), description="The account and its settings.")
    feed: FeedConnection | None = batch(
        own("GET /feed", feeds.feed),
        charges=True,
        description="The home feed, or the photos of followed tags or of one of your lists.",
    )
    notifications: NotificationConnection | None = batch(
        own("GET /notifications", inbox.notifications_page), description="The inbox, the latest activity first."
    )
    counters: NotificationCounters | None = batch(
        own("GET /notifications/counters", inbox.counters), description="The numbers of new notifications."
    )
    saved_photos: Connection[Photo] | None = batch(
        own("GET /users/me/saved", _own_list("saved of", _saved, _photos_of_items, lambda row: row[0])),
        description="The photos that you saved, the last one first.",
    )
    collections: Connection[Collection] | None = batch(
        own(
            "GET /collections",
            _own_list(
                "collections of",
                lambda db, owner_id, before, limit: photo_collections.page(
                    db, owner_id, viewer_id=owner_id, before=before, limit=limit
                ),
                _collections_of,
                lambda collection: collection.id,
            ),
        ),
        description="Your collections, newest first.",
    )
    lists: Connection[AccountList] | None = batch(
        own(
            "GET /lists",
            _own_list(
                "lists of",
                lambda db, owner_id, before, limit: lists.page(db, owner_id, before=before, limit=limit),
                _mapped(list_source),
                lambda each: each.id,
            ),
        ),
        description="Your lists of accounts, newest first.",
    )
    follow_requests: Connection[User] | None = batch(
        own("GET /users/me/follow-requests", _users("requests to", relations.requests)),
        description="The accounts that have asked to follow you.",
    )
    close_friends: Connection[User] | None = batch(
        own("GET /users/me/close-friends", _users("close friends of", relations.close_friends)),
        description="Your close friends.",
    )
    blocked_users: Connection[User] | None = batch(
        own("GET /users/me/blocks", _users("blocks of", relations.blocks)), description="The accounts that you block."
    )
    muted_users: Connection[User] | None = batch(
        own("GET /users/me/mutes", _users("mutes of", relations.mutes)), description="The accounts that you mute."
    )
    followed_tags: list[Tag] | None = batch(
        own("GET /tags/followed", _tags), description="The tags that you follow, in alphabetical order."
    )
    suggested_users: Connection[SuggestedUser] | None = batch(
        own("GET /suggestions/users", feeds.suggested_users), description="Accounts that you might want to follow."
    )
    notification_preferences: list[NotificationPreference] | None = batch(
        own("GET /notifications/preferences", inbox.preferences),
        description="Whose activities notify you, for each kind and channel.",
    )
    quiet_hours: QuietHours | None = batch(
        own("GET /notifications/quiet-hours", inbox.quiet_hours), description="When you get no pushes and no mails."
    )
    digest: Digest | None = batch(
        own("GET /notifications/digest", inbox.digest), description="How often you get a mail about what is new."
    )
    reports: Connection[Report] | None = batch(
        own(
            "GET /users/me/reports",
            _own_list(
                "reports of",
                lambda db, owner_id, before, limit: reports.of_reporter(db, owner_id, before=before, limit=limit),
                _mapped(report_source),
                lambda report: report.id,
            ),
        ),
        description="Your reports, with their outcomes.",
    )
    decisions: Connection[Decision] | None = batch(
        own(
            "GET /users/me/decisions",
            _own_list(
                "decisions about",
                lambda db, owner_id, before, limit: decisions.of_owner(db, owner_id, before=before, limit=limit),
                _mapped(decision_source),
                lambda decision: decision.id,
            ),
        ),
        description="The decisions of moderation about you and what you have posted.",
    )
