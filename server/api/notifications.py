"""The inbox: list notifications, count the new ones, mark them as seen or read, delete them."""

from __future__ import annotations

from aiohttp import web

from server.actions.notifications import MARK_QUOTA, NotificationActions
from server.edge.activity_responses import NotificationCountersResponse, NotificationListResponse
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.notification_requests import NotificationSelection, NotificationsQuery, ReadNotificationsQuery
from server.edge.paging import Cursors, Pager
from server.edge.responses import stream_position
from storage.errors import UnavailableError
from storage.feeds.notification_log import NotificationLog
from storage.notifications import Notification, NotificationCounters, NotificationMark
from storage.postgres.database import Queryable
from storage.postgres.reads import Reads
from storage.render.notification import counters_fields, notification_json
from storage.stores.notifications import notifications
from storage.stores.notifications.notification_marks import Selection


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
                query=NotificationsQuery,
                response=NotificationListResponse,
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
            *self._removals(),
        ]

    def _removals(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="DELETE",
                path="/notifications",
                handler=self.delete_read,
                summary="Delete your notifications that are read",
                tag="notifications",
                quota=MARK_QUOTA,
                query=ReadNotificationsQuery,
                status=204,
            ),
            Endpoint(
                method="DELETE",
                path="/notifications/{id}",
                handler=self.delete,
                summary="Delete a notification",
                tag="notifications",
                quota=MARK_QUOTA,
                status=204,
                errors=(404,),
            ),
            Endpoint(
                method="POST",
                path="/notifications/{id}/restore",
                handler=self.restore,
                summary="Undo the deletion of a notification, for an hour",
                tag="notifications",
                quota=MARK_QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def inbox(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications`."""
        user_id, query = request.viewer.user_id, request.query(NotificationsQuery)
        listing = "notifications" if query.kinds is None else f"notifications {','.join(sorted(query.kinds))}"
        pager = Pager(self._cursors, f"{listing} of {user_id}")
        before, limit, kinds = pager.before(query.cursor), query.limit + 1, query.kinds
        position: tuple[str, int] | None = None
        counters: NotificationCounters | None = None
        if query.cursor is None:
            # Read before the list, so that a notification that arrives in between may be sent twice but is not missed.
            position = await self._position(user_id)
            # A replica may lack notifications that are before the position, and the client would never receive them.
            found, counters = await notifications.first_page(self._db, user_id, limit=limit, kinds=kinds)
        else:

            async def following(db: Queryable) -> list[Notification]:
                return await notifications.inbox(db, user_id, before=before, limit=limit, kinds=kinds)

            found = await self._reads.read(user_id, following)
        page, next_cursor = pager.cut(found, query.limit, lambda entry: entry.position)
        return list_response(
            [notification_json(entry) for entry in page],
            next_cursor,
            stream=stream_position(position),
            counters=None if counters is None else counters_fields(counters),
        )

    async def _position(self, user_id: int) -> tuple[str, int] | None:
        """Return the end of the inbox's stream; None while Redis is away, and then no client can go on from it."""
        try:
            return await self._log.position(user_id)
        except UnavailableError as error:
            if error.engine != "redis":
                raise
            return None

    async def counters(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications/counters`."""
        counters = await self._actions.counters(request.viewer.user_id)
        return json_response(NotificationCountersResponse.from_model(counters).to_bytes())

    async def mark_seen(self, request: ApiRequest) -> web.Response:
        """Handle `POST /notifications/seen`."""
        form = await request.body(NotificationSelection)
        await self._actions.mark(
            request.viewer.user_id, NotificationMark.SEEN, Selection(form.ids, form.up_to, form.kinds)
        )
        return empty_response()

    async def mark_read(self, request: ApiRequest) -> web.Response:
        """Handle `POST /notifications/read`."""
        form = await request.body(NotificationSelection)
        await self._actions.mark(
            request.viewer.user_id, NotificationMark.READ, Selection(form.ids, form.up_to, form.kinds)
        )
        return empty_response()

    async def delete(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /notifications/{id}`."""
        await self._actions.delete(request.viewer.user_id, request.id())
        return empty_response()

    async def delete_read(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /notifications`."""
        query = request.query(ReadNotificationsQuery)
        await self._actions.delete_read(request.viewer.user_id, Selection(up_to=query.up_to, kinds=query.kinds))
        return empty_response()

    async def restore(self, request: ApiRequest) -> web.Response:
        """Handle `POST /notifications/{id}/restore`."""
        await self._actions.undo_deletion(request.viewer.user_id, request.id())
        return empty_response()

    async def _mark(self, request: ApiRequest, mark: NotificationMark) -> web.Response:
        form = await request.body(NotificationSelection)
        await self._actions.mark(request.viewer.user_id, mark, Selection(form.ids, form.up_to, form.kinds))
        return empty_response()
