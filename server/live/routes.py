"""Routes of live connections: WebSocket, and streaming responses for networks that block WebSockets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from channels.contract.errors import TokenExpiredError, TokenInvalidError
from channels.contract.ports import Identity
from channels.live import Live
from server.edge.api_request import ADDRESS
from server.edge.authentication import RequestAuthenticator
from server.edge.endpoint import PREFIX
from server.edge.guard import require_scope
from server.edge.problem import ProblemError, bad_field, sign_in_required, unauthorized
from server.identity import scopes
from server.identity.errors import AccountSuspendedError
from server.identity.rate_limits import address_subject

WEBSOCKET = "/connection/websocket"
SSE = "/connection/sse"
HTTP_STREAM = "/connection/http_stream"
EMULATION = "/emulation"
EVENTS = "/live/sse"
GRAPHQL = "/graphql"

_EVENT_STREAM = "text/event-stream"

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

    def with_subscriptions(self, routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
        """Return the routes of the GraphQL interface, whose requests for subscriptions are handled here."""
        return [self._with_subscriptions(route) for route in routes]

    def graphql_routes(self) -> list[web.RouteDef]:
        """Return the routes of GraphQL subscriptions alone, for a process without the rest of the interface."""

        async def refuse(_request: web.Request) -> web.StreamResponse:
            raise web.HTTPNotFound(text="this process serves subscriptions alone")

        return self.with_subscriptions([web.get(GRAPHQL, refuse, allow_head=False), web.post(GRAPHQL, refuse)])

    def _with_subscriptions(self, route: web.RouteDef) -> web.RouteDef:
        endpoint = self._live.graphql
        if endpoint is None or route.path != GRAPHQL:
            return route
        others = route.handler

        async def socket(request: web.Request) -> web.StreamResponse:
            if request.headers.get("Upgrade", "").lower() != "websocket":
                return await others(request)
            viewer = await self._authenticator.viewer(request)
            # Without a header or a cookie the client sends its token with connection_init.
            identity = None if viewer is None else await self._of_headers(request, suspended=False)
            return await endpoint.websocket(request, _subject(request), identity)

        async def stream(request: web.Request) -> web.StreamResponse:
            if _EVENT_STREAM not in request.headers.get("Accept", ""):
                return await others(request)
            identity = await self._of_headers(request, suspended=False)
            await self._confirm(identity)
            return await endpoint.events(request, _subject(request), identity, await self._operation(request))

        handler = {"GET": socket, "POST": stream}.get(route.method, others)
        return web.RouteDef(route.method, route.path, handler, route.kwargs)

    async def _operation(self, request: web.Request) -> dict[str, Any]:
        if request.content_type != "application/json":
            raise ProblemError(415, "unsupported_media_type", "The body must be JSON: Content-Type: application/json.")
        try:
            operation = orjson.loads(await self._live.streaming.body(request))
        except orjson.JSONDecodeError as error:
            raise bad_field("body", f"This is not valid JSON: {error}.") from error
        if not isinstance(operation, dict):
            raise bad_field("body", "The body must be a JSON object.")
        return operation

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
        except TokenExpiredError as error:
            raise unauthorized("token_expired", str(error)) from error
        except TokenInvalidError as error:
            raise unauthorized("invalid_token", str(error)) from error
        await self._confirm(identity)
        return identity, key

    async def _confirm(self, identity: Identity) -> None:
        try:
            await self._live.authenticator.confirm(identity)
        except TokenInvalidError as error:
            raise unauthorized("invalid_token", str(error)) from error

    async def _of_headers(self, request: web.Request, *, suspended: bool = True) -> Identity:
        """Return the identity of a header or a cookie; raise without one, or unless `suspended` users are permitted."""
        viewer = await self._authenticator.viewer(request)
        if viewer is None:
            raise sign_in_required()
        if viewer.restricted and not suspended:
            raise AccountSuspendedError
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
