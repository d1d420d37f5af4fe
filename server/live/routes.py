"""Routes of live connections: WebSocket, and streaming responses for networks that block WebSockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from channels.contract.errors import TokenExpiredError, TokenInvalidError
from channels.contract.ports import Identity
from channels.live import Live
from server.edge.api_request import ADDRESS
from server.edge.authentication import RequestAuthenticator
from server.edge.endpoint import PREFIX
from server.edge.guard import require_scope
from server.edge.problem import sign_in_required, unauthorized
from server.identity import scopes
from server.identity.rate_limits import address_subject

WEBSOCKET = "/connection/websocket"
SSE = "/connection/sse"
HTTP_STREAM = "/connection/http_stream"
EMULATION = "/emulation"
EVENTS = "/live/sse"

Stream = Callable[[web.Request, str], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LiveRoutes:
    """Routes of a process's live layer."""

    def __init__(self, live: Live, authenticator: RequestAuthenticator) -> None:
        self._live = live
        self._authenticator = authenticator

    def routes(self) -> list[web.RouteDef]:
        """Return the route table."""
        streaming = self._live.streaming
        return [
            web.get(WEBSOCKET, _with_address(self._live.handle), allow_head=False),
            web.get(SSE, _with_address(streaming.sse), allow_head=False),
            web.post(HTTP_STREAM, _with_address(streaming.http_stream)),
            web.options(HTTP_STREAM, streaming.preflight),
            web.post(EMULATION, streaming.emulation),
            web.options(EMULATION, streaming.preflight),
            web.get(EVENTS, self.events, allow_head=False),
            web.get(PREFIX + EVENTS, self.events, allow_head=False),
        ]

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Handle `GET /live/sse`: the user's streams as server-sent events, read-only.

        Credentials are a bearer token, the browser's cookie, or `?ticket=` of `POST /live/token`. Invalid ones are a
        401, after which an `EventSource` does not reconnect.
        """
        identity, key = await self._identity(request)
        return await self._live.streaming.events(request, _subject(request), identity, key=key)

    async def _identity(self, request: web.Request) -> tuple[Identity, str]:
        """Return the identity and, if it is that of a ticket, the key with which the stream reconnects."""
        try:
            ticket = request.query.get("ticket")
            if ticket is None:
                identity, key = await self._of_headers(request), ""
            else:
                identity, key = await self._of_ticket(request, ticket)
            await self._live.authenticator.confirm(identity)
        except TokenExpiredError as error:
            raise unauthorized("token_expired", str(error)) from error
        except TokenInvalidError as error:
            raise unauthorized("invalid_token", str(error)) from error
        return identity, key

    async def _of_headers(self, request: web.Request) -> Identity:
        viewer = await self._authenticator.viewer(request)
        if viewer is None:
            raise sign_in_required()
        require_scope(viewer.scopes, scopes.LIVE)
        return Identity(
            user_id=viewer.user_id,
            session=viewer.session,
            expires_at=float(viewer.expires_at),
            scopes=viewer.scopes,
        )

    async def _of_ticket(self, request: web.Request, ticket: str) -> tuple[Identity, str]:
        # URLs are logged by proxies; a ticket is used up by then, an access token would still be valid.
        if ticket.count(".") == 2:
            raise unauthorized(
                "invalid_token", "Send a ticket of POST /api/v1/live/token in the query, not an access token."
            )
        key = self._live.streaming.reconnect_key(request)
        return await self._live.authenticator.authenticate_stream(ticket, key)


def _with_address(stream: Stream) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await stream(request, _subject(request))

    return handler


def _subject(request: web.Request) -> str:
    # The live layer counts connections by this text: those of an IPv6 client by its network, as the rate limits do.
    return address_subject(request[ADDRESS])
