"""Mark and delete notifications, and choose which of them reach the viewer."""

from __future__ import annotations

from typing import Annotated

import strawberry

from server.edge.notification_requests import NotificationSelection
from server.edge.preference_requests import DigestUpdate, NotificationPreferencesUpdate, QuietHoursUpdate
from server.edge.preference_responses import DigestResponse, NotificationPreferencesResponse
from server.graphql.mutations.writes import Write, given, option
from server.graphql.queries import inbox
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.described import input_type
from server.graphql.resolution.node_ids import NodeKind
from storage.notification_channels import Audience
from storage.notifications import NotificationKind, NotificationMark
from storage.quiet_hours import Weekday
from storage.stores.notifications.notification_marks import Selection
from storage.stores.notifications.notification_preferences import DigestFrequency

# Fields of the REST bodies whose arguments have other names.
QUIET_NAMES = {"from": "begins", "until": "ends"}
PREFERENCE_NAMES = {"items": "preferences"}

NotificationId = Annotated[
    strawberry.ID, strawberry.argument(description="The id of a notification, as `N-01K3S9C0XG4Q7`.")
]
Ids = Annotated[
    list[strawberry.ID] | None, strawberry.argument(description="The notifications, at most 100; all without any.")
]
UpTo = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The greatest `position` that was shown; later activities are left alone."),
]
Kinds = Annotated[list[NotificationKind] | None, strawberry.argument(description="The kinds; all without any.")]
Zone = Annotated[str, strawberry.argument(description="A time zone, as `Europe/Berlin`.")]
OptionalZone = Annotated[
    str | None, strawberry.argument(description="A time zone, as `Europe/Berlin`; the present one without it.")
]


@input_type
class NotificationPreferenceInput:
    """The audiences of one kind of notifications; a channel that is left out has its default."""

    kind: NotificationKind = strawberry.field(description="The kind.")
    inbox: Audience | None = option("The list of notifications.")
    live: Audience | None = option("Open pages.")
    push: Audience | None = option("Devices.")
    email: Audience | None = option("Mails.")


def mark(how: NotificationMark) -> Write:
    """Return the write that marks notifications as seen or read."""

    async def write(context: RequestContext, ids: Ids = None, up_to: UpTo = None, kinds: Kinds = None) -> Source:
        form = NotificationSelection.model_validate(
            {
                "ids": None if ids is None else [NodeKind.NOTIFICATION.raw(text, "ids") for text in ids],
                "up_to": up_to,
                "kinds": kinds,
            }
        )
        chosen = Selection(form.ids, form.up_to, form.kinds)
        await context.actions.notifications.mark(context.request.viewer.user_id, how, chosen)
        return {}

    return write


async def delete_notification(context: RequestContext, notification: NotificationId) -> Source:
    """Delete a notification."""
    await context.actions.notifications.delete(context.request.viewer.user_id, _notification(notification))
    return {}


async def restore_notification(context: RequestContext, notification: NotificationId) -> Source:
    """Undo the deletion of a notification."""
    await context.actions.notifications.undo_deletion(context.request.viewer.user_id, _notification(notification))
    return {}


async def delete_read_notifications(context: RequestContext, up_to: UpTo = None, kinds: Kinds = None) -> Source:
    """Delete notifications that are read."""
    form = NotificationSelection.model_validate({"up_to": up_to, "kinds": kinds})
    chosen = Selection(up_to=form.up_to, kinds=form.kinds)
    await context.actions.notifications.delete_read(context.request.viewer.user_id, chosen)
    return {}


async def set_notification_preferences(
    context: RequestContext, preferences: list[NotificationPreferenceInput]
) -> Source:
    """Choose whose activities notify the viewer."""
    form = NotificationPreferencesUpdate.model_validate({"items": given(preferences)})
    found = await context.actions.notification_preferences.set_preferences(
        context.request.viewer.user_id, form.chosen()
    )
    return {"preferences": NotificationPreferencesResponse.from_model(found).model_dump()["items"]}


async def set_quiet_hours(
    context: RequestContext,
    *,
    zone: Zone,
    begins: Annotated[str, strawberry.argument(description="When they begin, as `22:00`.")],
    ends: Annotated[str, strawberry.argument(description="When they end, as `07:00`.")],
    days: Annotated[
        list[Weekday] | None, strawberry.argument(description="The days on which they begin; all without any.")
    ] = None,
) -> Source:
    """Set the quiet hours."""
    body = {"zone": zone, "from": begins, "until": ends, **({} if days is None else {"days": days})}
    form = QuietHoursUpdate.model_validate(body)
    await context.actions.notification_preferences.set_quiet_hours(context.request.viewer.user_id, form.quiet_hours())
    return {"quiet_hours": await inbox.quiet_hours(context)}


async def remove_quiet_hours(context: RequestContext) -> Source:
    """Turn the quiet hours off."""
    await context.actions.notification_preferences.set_quiet_hours(context.request.viewer.user_id, None)
    return {"quiet_hours": await inbox.quiet_hours(context)}


async def set_digest(
    context: RequestContext,
    frequency: Annotated[DigestFrequency, strawberry.argument(description="How often.")],
    zone: OptionalZone = None,
) -> Source:
    """Choose how often a digest is sent."""
    form = DigestUpdate.model_validate({"frequency": frequency, "zone": zone})
    found = await context.actions.notification_preferences.set_digest(
        context.request.viewer.user_id, form.frequency, zone=form.zone
    )
    return {"digest": DigestResponse.from_model(found).model_dump()}


def _notification(text: str) -> int:
    return NodeKind.NOTIFICATION.decode(text, "notification")
