"""Tickets for the live endpoint, for clients that cannot send headers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aiohttp import web

from server.edge.api_request import ApiRequest, json_response
from server.edge.endpoint import Endpoint
from server.edge.responses import LiveTicketResponse
from server.live.routes import WEBSOCKET
from storage.limits.tickets import Tickets
from storage.render.timestamps import timestamp

TICKET_QUOTA = "writes"


class LiveApi:
    """`/live/token`; `ttl` of a ticket in seconds."""

    def __init__(self, tickets: Tickets, *, public_url: str, ttl: int) -> None:
        self._tickets = tickets
        self._url = "ws" + public_url.removeprefix("http") + WEBSOCKET
        self._ttl = ttl

    def endpoints(self) -> list[Endpoint]:
        """Return the route table of this resource."""
        return [
            Endpoint(
                method="POST",
                path="/live/token",
                handler=self.issue,
                summary="Issue a ticket for one live connection",
                tag="live",
                quota=TICKET_QUOTA,
                status=201,
                response=LiveTicketResponse,
            )
        ]

    async def issue(self, request: ApiRequest) -> web.Response:
        """Handle `POST /live/token`; the connection lasts no longer than the access token of this request."""
        viewer = request.viewer
        payload = {"user": viewer.user_id, "session": viewer.session, "expires_at": viewer.expires_at}
        if viewer.scopes is not None:
            payload["scopes"] = sorted(viewer.scopes)
        token = await self._tickets.issue(payload, ttl=self._ttl)
        expires_at = timestamp(datetime.now(UTC) + timedelta(seconds=self._ttl))
        ticket = LiveTicketResponse(token=token, url=self._url, expires_at=expires_at)
        return json_response(ticket.to_bytes(), status=201)
