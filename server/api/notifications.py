"""The inbox: list notifications, count the new ones, mark them as seen or read."""

from __future__ import annotations

from aiohttp import web

from server.actions.notifications import MARK_QUOTA, NotificationActions
from server.edge.activity_responses import NotificationCountersResponse, NotificationResponse
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.requests import ListQuery, NotificationSelection
from server.edge.responses import StreamListResponse, stream_position
from storage.feeds.notification_log import NotificationLog
from storage.models import NotificationMark
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.notification import notification_json
from storage.stores import notifications


class NotificationsApi:
    """`/notifications`."""

    def __init__(
        self, db: Queryable, reads: Reads, log: NotificationLog, cursors: Cursors, actions: NotificationActions
    ) -> None:
        self._db = db
        self._reads = reads
        self._log = log
        self._cursors = cursors
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/notifications",
                handler=self.inbox,
                summary="List your notifications, the latest activity first",
                tag="notifications",
                query=ListQuery,
                response=StreamListResponse[NotificationResponse],
                tagged=True,
            ),
            Endpoint(
                method="GET",
                path="/notifications/counters",
                handler=self.counters,
                summary="Count your unseen and unread notifications",
                tag="notifications",
                response=NotificationCountersResponse,
            ),
            Endpoint(
                method="POST",
                path="/notifications/seen",
                handler=self.mark_seen,
                summary="Mark notifications as seen: they were on the screen",
                tag="notifications",
                quota=MARK_QUOTA,
                body=NotificationSelection,
                status=204,
            ),
            Endpoint(
                method="POST",
                path="/notifications/read",
                handler=self.mark_read,
                summary="Mark notifications as read: they were opened",
                tag="notifications",
                quota=MARK_QUOTA,
                body=NotificationSelection,
                status=204,
            ),
        ]

    async def inbox(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications`."""
        user_id, query = request.viewer.user_id, request.query(ListQuery)
        pager = Pager(self._cursors, f"notifications of {user_id}")
        before, limit, position = pager.before(query.cursor), query.limit + 1, None
        if query.cursor is None:
            # Read before the list, so that a notification that arrives in between may be sent twice but is not missed.
            position = await self._log.position(user_id)
            # A replica may lack notifications that are before the position, and the client would never receive them.
            found = await notifications.inbox(self._db, user_id, before=before, limit=limit)
        else:
            found = await self._reads.read(
                user_id, lambda db: notifications.inbox(db, user_id, before=before, limit=limit)
            )
        page, next_cursor = pager.cut(found, query.limit, lambda entry: entry.position)
        items = [notification_json(entry) for entry in page]
        return list_response(items, next_cursor, stream=stream_position(position))

    async def counters(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications/counters`."""
        counters = await self._actions.counters(request.viewer.user_id)
        return json_response(NotificationCountersResponse.from_model(counters).to_bytes())

    async def mark_seen(self, request: ApiRequest) -> web.Response:
        """Handle `POST /notifications/seen`."""
        form = await request.body(NotificationSelection)
        await self._actions.mark(request.viewer.user_id, NotificationMark.SEEN, form.ids, form.up_to)
        return empty_response()

    async def mark_read(self, request: ApiRequest) -> web.Response:
        """Handle `POST /notifications/read`."""
        form = await request.body(NotificationSelection)
        await self._actions.mark(request.viewer.user_id, NotificationMark.READ, form.ids, form.up_to)
        return empty_response()
