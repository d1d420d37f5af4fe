"""Which notifications reach the viewer, when, and about what."""

from __future__ import annotations

from aiohttp import web

from server.actions.notification_preferences import QUOTA, NotificationPreferenceActions
from server.edge.api_request import ApiRequest, empty_response, json_response, list_response
from server.edge.endpoint import Endpoint
from server.edge.paging import Cursors, Pager
from server.edge.preference_requests import DigestUpdate, NotificationPreferencesUpdate, QuietHoursUpdate
from server.edge.preference_responses import (
    DigestResponse,
    MutedSubjectResponse,
    NotificationPreferencesResponse,
    QuietHoursResponse,
)
from server.edge.requests import ListQuery
from server.edge.responses import ListResponse
from storage.postgres.reads import Reads
from storage.stores.notifications import notification_sources
from storage.stores.social import muted_subjects

_TAG = "notifications"


class NotificationPreferencesApi:
    """`/notifications/preferences`, `/quiet-hours`, `/digest`, `/mutes`, and muting of photos and comments."""

    def __init__(self, reads: Reads, cursors: Cursors, actions: NotificationPreferenceActions) -> None:
        self._reads = reads
        self._cursors = cursors
        self._actions = actions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            *self._preferences(),
            *self._quiet_hours(),
            *self._digest(),
            *self._mutes(),
            *self._photo_mutes(),
            *self._thread_mutes(),
        ]

    def _preferences(self) -> list[Endpoint]:
        path = "/notifications/preferences"
        return [
            Endpoint(
                method="GET",
                path=path,
                handler=self.preferences,
                summary="Get whose activities notify you, for each kind and channel",
                tag=_TAG,
                response=NotificationPreferencesResponse,
            ),
            Endpoint(
                method="PUT",
                path=path,
                handler=self.set_preferences,
                summary="Choose whose activities notify you; what is left out has its default again",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=NotificationPreferencesUpdate,
                response=NotificationPreferencesResponse,
            ),
        ]

    def _quiet_hours(self) -> list[Endpoint]:
        path = "/notifications/quiet-hours"
        return [
            Endpoint(
                method="GET",
                path=path,
                handler=self.quiet_hours,
                summary="Get your quiet hours, in which you get no pushes and no mails about activities",
                tag=_TAG,
                response=QuietHoursResponse,
            ),
            Endpoint(
                method="PUT",
                path=path,
                handler=self.set_quiet_hours,
                summary="Set your quiet hours; notices about security and moderation still reach you",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=QuietHoursUpdate,
                response=QuietHoursResponse,
            ),
            Endpoint(
                method="DELETE",
                path=path,
                handler=self.remove_quiet_hours,
                summary="Turn your quiet hours off; repeating it changes nothing",
                tag=_TAG,
                quota=QUOTA,
                status=204,
            ),
        ]

    def _digest(self) -> list[Endpoint]:
        path = "/notifications/digest"
        return [
            Endpoint(
                method="GET",
                path=path,
                handler=self.digest,
                summary="Get how often you get a mail about what is new",
                tag=_TAG,
                response=DigestResponse,
            ),
            Endpoint(
                method="PUT",
                path=path,
                handler=self.set_digest,
                summary="Choose how often you get a mail about what is new, if you have not been here",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                body=DigestUpdate,
                response=DigestResponse,
            ),
        ]

    def _mutes(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/notifications/mutes",
                handler=self.mutes,
                summary="List the photos and comment threads that you mute, newest photo or comment first",
                tag=_TAG,
                query=ListQuery,
                response=ListResponse[MutedSubjectResponse],
            ),
        ]

    def _photo_mutes(self) -> list[Endpoint]:
        path = "/photos/{id}/mute"
        return [
            Endpoint(
                method="PUT",
                path=path,
                handler=self.mute_photo,
                summary="Get no notifications about a photo; repeating it changes nothing",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                status=204,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path=path,
                handler=self.unmute_photo,
                summary="Get notifications about a photo again; repeating it changes nothing",
                tag=_TAG,
                quota=QUOTA,
                status=204,
            ),
        ]

    def _thread_mutes(self) -> list[Endpoint]:
        path = "/comments/{id}/mute"
        return [
            Endpoint(
                method="PUT",
                path=path,
                handler=self.mute_thread,
                summary="Get no notifications about a comment and the replies to it; repeating it changes nothing",
                tag=_TAG,
                quota=QUOTA,
                stores=True,
                status=204,
                errors=(404,),
            ),
            Endpoint(
                method="DELETE",
                path=path,
                handler=self.unmute_thread,
                summary="Get notifications about a comment and the replies to it again; repeating it changes nothing",
                tag=_TAG,
                quota=QUOTA,
                status=204,
            ),
        ]

    async def preferences(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications/preferences`."""
        found = await self._actions.preferences(request.viewer.user_id)
        return json_response(NotificationPreferencesResponse.from_model(found).to_bytes())

    async def set_preferences(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /notifications/preferences`."""
        form = await request.body(NotificationPreferencesUpdate)
        found = await self._actions.set_preferences(request.viewer.user_id, form.chosen())
        return json_response(NotificationPreferencesResponse.from_model(found).to_bytes())

    async def quiet_hours(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications/quiet-hours`."""
        found = await self._actions.schedule(request.viewer.user_id)
        return json_response(QuietHoursResponse.from_model(found).to_bytes())

    async def set_quiet_hours(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /notifications/quiet-hours`."""
        form = await request.body(QuietHoursUpdate)
        await self._actions.set_quiet_hours(request.viewer.user_id, form.quiet_hours())
        return await self.quiet_hours(request)

    async def remove_quiet_hours(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /notifications/quiet-hours`."""
        await self._actions.set_quiet_hours(request.viewer.user_id, None)
        return empty_response()

    async def digest(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications/digest`."""
        found = await self._actions.schedule(request.viewer.user_id)
        return json_response(DigestResponse.from_model(found).to_bytes())

    async def set_digest(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /notifications/digest`."""
        form = await request.body(DigestUpdate)
        found = await self._actions.set_digest(request.viewer.user_id, form.frequency, zone=form.zone)
        return json_response(DigestResponse.from_model(found).to_bytes())

    async def mutes(self, request: ApiRequest) -> web.Response:
        """Handle `GET /notifications/mutes`."""
        viewer_id, query = request.viewer.user_id, request.query(ListQuery)
        pager = Pager(self._cursors, f"mutes of {viewer_id}")
        before, limit = pager.before(query.cursor), query.limit + 1
        found = await self._reads.read(
            viewer_id, lambda db: muted_subjects.page(db, viewer_id, before=before, limit=limit)
        )
        page, next_cursor = pager.cut(found, query.limit, lambda each: each.comment_id or each.photo_id)
        threads = {each.comment_id for each in page if each.comment_id is not None}
        comments = (
            await self._reads.read(viewer_id, lambda db: notification_sources.comments(db, viewer_id, threads))
            if threads
            else {}
        )
        items = [MutedSubjectResponse.from_model(each, comments.get(each.comment_id or 0)) for each in page]
        return list_response([item.to_bytes() for item in items], next_cursor)

    async def mute_photo(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /photos/{id}/mute`."""
        await self._actions.mute_photo(request.viewer.user_id, request.id())
        return empty_response()

    async def unmute_photo(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /photos/{id}/mute`."""
        await self._actions.unmute_photo(request.viewer.user_id, request.id())
        return empty_response()

    async def mute_thread(self, request: ApiRequest) -> web.Response:
        """Handle `PUT /comments/{id}/mute`."""
        await self._actions.mute_thread(request.viewer.user_id, request.id())
        return empty_response()

    async def unmute_thread(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /comments/{id}/mute`."""
        await self._actions.unmute_thread(request.viewer.user_id, request.id())
        return empty_response()
