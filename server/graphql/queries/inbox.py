"""The inbox, and which notifications reach the viewer."""

from __future__ import annotations

from typing import Annotated

import strawberry

from server.edge.preference_responses import DigestResponse, NotificationPreferencesResponse, QuietHoursResponse
from server.edge.responses import stream_position
from server.graphql.resolution.connections import (
    DEFAULT_FIRST,
    After,
    First,
    Page,
    checked_first,
    connection,
    decoded,
)
from server.graphql.resolution.context import RequestContext, Source
from storage import notifications
from storage.errors import UnavailableError
from storage.render.notification import counters_fields, notification_fields
from storage.stores.notifications import notifications as inbox

Kinds = Annotated[
    list[notifications.NotificationKind] | None, strawberry.argument(description="The kinds to list; all without any.")
]


async def notifications_page(
    context: RequestContext, first: First = DEFAULT_FIRST, after: After = None, kinds: Kinds = None
) -> Page:
    """Return a page of the inbox."""
    user_id, services = context.request.viewer.user_id, context.services
    wanted = None if kinds is None else tuple(dict.fromkeys(kinds))
    listing = "notifications" if wanted is None else f"notifications {','.join(sorted(wanted))}"
    name = f"{listing} of {user_id}"
    before, limit = decoded(context, name, after), checked_first(first) + 1
    position = None
    if after is None:
        # Read before the list, so that a notification that arrives in between may be sent twice but is not missed.
        position = await _inbox_position(context)
        # A replica may lack notifications that are before the position, and the client would never receive them.
        found, _ = await inbox.first_page(services.db, user_id, limit=limit, kinds=wanted)
    else:
        found = await context.read(lambda db: inbox.inbox(db, user_id, before=before, limit=limit, kinds=wanted))
    page = found[:first]

    def cursor(index: int) -> str:
        return context.shared.cursors.encode(name, page[index].position)

    return connection(
        [notification_fields(entry) for entry in page],
        next=cursor(-1) if len(found) > first else None,
        after=after,
        cursor=cursor,
        stream=stream_position(position),
    )


async def _inbox_position(context: RequestContext) -> tuple[str, int] | None:
    """Return the end of the inbox's stream; None while Redis is away, and then no client can go on from it."""
    try:
        return await context.services.notification_log.position(context.request.viewer.user_id)
    except UnavailableError as error:
        if error.engine != "redis":
            raise
        return None


async def counters(context: RequestContext) -> Source:
    """Return the numbers of new notifications."""
    return counters_fields(await context.actions.notifications.counters(context.request.viewer.user_id))


async def preferences(context: RequestContext) -> list[Source]:
    """Return the audiences of each kind of notifications."""
    found = await context.actions.notification_preferences.preferences(context.request.viewer.user_id)
    items: list[Source] = NotificationPreferencesResponse.from_model(found).model_dump()["items"]
    return items


async def quiet_hours(context: RequestContext) -> Source:
    """Return the quiet hours."""
    found = await context.actions.notification_preferences.schedule(context.request.viewer.user_id)
    return QuietHoursResponse.from_model(found).model_dump(by_alias=True)


async def digest(context: RequestContext) -> Source:
    """Return how often a digest is sent."""
    found = await context.actions.notification_preferences.schedule(context.request.viewer.user_id)
    return DigestResponse.from_model(found).model_dump()
