"""`/api/v1/markers`: how far the viewer has read, for the same app on another device."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from server.actions.notifications import MARK_QUOTA, NotificationActions
from server.edge.requests import QueryModel
from server.mastodon.accounts import Entity
from server.mastodon.endpoint import Route, route
from server.mastodon.ids import parse_id
from server.mastodon.request import MastodonRequest, respond
from storage.errors import NotFoundError
from storage.notifications import NotificationMark
from storage.postgres.database import Database
from storage.render.timestamps import timestamp
from storage.stores.accounts import timeline_markers
from storage.stores.accounts.timeline_markers import TIMELINES, TimelineMarker
from storage.stores.notifications.notification_marks import Selection


def _names(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class MarkersQuery(QueryModel):
    """The timelines whose markers are asked for."""

    timeline: Annotated[list[str], BeforeValidator(_names), Field(max_length=10)] = Field(default=[])


class MarkerForm(QueryModel):
    """The id of the last entry that was read."""

    last_read_id: Annotated[str, Field(max_length=20, pattern=r"^\d+$")]


class MarkersForm(QueryModel):
    """Markers of one timeline or both."""

    home: MarkerForm | None = None
    notifications: MarkerForm | None = None


class MarkerRoutes:
    """The viewer's markers; the one of the notifications also marks these as seen."""

    def __init__(self, db: Database, notifications: NotificationActions) -> None:
        self._db = db
        self._notifications = notifications

    def routes(self) -> list[Route]:
        """Return the routes."""
        path = "/api/v1/markers"
        return [
            route("GET", path, self.get, "read:statuses"),
            route("POST", path, self.set, "write:statuses", quota=MARK_QUOTA, stores=True),
        ]

    async def get(self, request: MastodonRequest) -> web.Response:
        """Return markers."""
        wanted = [name for name in request.query(MarkersQuery).timeline if name in TIMELINES]
        return respond(_entities(await timeline_markers.read(self._db, request.viewer.user_id, wanted)))

    async def set(self, request: MastodonRequest) -> web.Response:
        """Set markers."""
        form, viewer_id = await request.form(MarkersForm), request.viewer.user_id
        given = {name: marker.last_read_id for name in TIMELINES if (marker := getattr(form, name)) is not None}
        async with self._db.transaction() as tx:
            for name, last_read in given.items():
                await timeline_markers.write(tx, viewer_id, name, last_read)
        if form.notifications is not None:
            await self._mark_seen(viewer_id, form.notifications.last_read_id)
        return respond(_entities(await timeline_markers.read(self._db, viewer_id, list(given))))

    async def _mark_seen(self, viewer_id: int, last_read: str) -> None:
        try:
            position = parse_id(last_read)
        except NotFoundError:
            # An id of another installation, in an app that was moved.
            return
        await self._notifications.mark(viewer_id, NotificationMark.SEEN, Selection(up_to=position))


def _entities(markers: list[TimelineMarker]) -> Entity:
    return {
        marker.timeline: {
            "last_read_id": marker.last_read,
            "version": marker.version,
            "updated_at": timestamp(marker.updated_at),
        }
        for marker in markers
    }
