"""`/users/me/sessions`: the viewer's sessions, and their end."""

from __future__ import annotations

from aiohttp import web

from server.actions.sessions import SIGN_OUT_QUOTA, SessionService
from server.edge.api_request import ApiRequest, empty_response, json_response
from server.edge.endpoint import Endpoint
from server.edge.security_requests import OtherSessionsQuery
from server.edge.security_responses import EndedSessionsResponse, SessionResponse, SessionsResponse

_TAG = "security"


class AccountSessionsApi:
    """List and end sessions."""

    def __init__(self, sessions: SessionService) -> None:
        self._sessions = sessions

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="GET",
                path="/users/me/sessions",
                handler=self.list_,
                summary="List your active sessions, the one that was seen last first",
                tag=_TAG,
                response=SessionsResponse,
            ),
            Endpoint(
                method="DELETE",
                path="/users/me/sessions",
                handler=self.end_others,
                summary="End all sessions but this one, and their live connections, at once",
                tag=_TAG,
                quota=SIGN_OUT_QUOTA,
                query=OtherSessionsQuery,
                response=EndedSessionsResponse,
            ),
            Endpoint(
                method="DELETE",
                path="/users/me/sessions/{session}",
                handler=self.end,
                summary="End a session and its live connections, at once",
                tag=_TAG,
                quota=SIGN_OUT_QUOTA,
                status=204,
                errors=(404,),
            ),
        ]

    async def list_(self, request: ApiRequest) -> web.Response:
        """Handle `GET /users/me/sessions`."""
        viewer = request.viewer
        found = await self._sessions.active(viewer.user_id)
        items = [SessionResponse.from_model(each, current=viewer.session) for each in found]
        return json_response(SessionsResponse(items=items).to_bytes())

    async def end_others(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/sessions`."""
        request.query(OtherSessionsQuery)
        ended = await self._sessions.end_all(request.viewer.user_id, but=request.viewer.session)
        return json_response(EndedSessionsResponse(ended=ended).to_bytes())

    async def end(self, request: ApiRequest) -> web.Response:
        """Handle `DELETE /users/me/sessions/{session}`."""
        await self._sessions.end(request.viewer.user_id, request.session_id())
        return empty_response()
