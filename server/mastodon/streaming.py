"""`/api/v1/streaming`: live events over WebSocket, with several streams on one connection, or as server-sent events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

import orjson
from aiohttp import web

from channels.contract.errors import TokenExpiredError, TokenInvalidError
from channels.contract.ports import Identity
from channels.live import Live
from channels.transports.projected import text_frame
from server.edge.api_request import ADDRESS
from server.edge.middleware import RENDERER, Handler
from server.edge.problem import ProblemError, sign_in_required, unauthorized
from server.identity.rate_limits import address_subject
from server.live.access import APPS_PUBLIC
from server.mastodon.ids import parse_id
from server.mastodon.live_events import LiveEvent, LiveEvents
from server.mastodon.routing import render
from storage import texts
from storage.errors import NotFoundError
from storage.postgres.reads import Reads
from storage.stores.social import list_members
from workers.jobs.live.publications import FEED, NOTIFICATIONS

PATH = "/api/v1/streaming"
MAX_STREAMS = 20  # of one connection
_PUBLIC = {"public", "public:local", "public:media", "public:local:media"}
_EMPTY = {"public:remote", "public:remote:media", "direct"}  # there is nothing to send on them
_KNOWN = {"user", "user:notification", "hashtag", "hashtag:local", "list", *_PUBLIC, *_EMPTY}


class StreamError(ValueError):
    """A stream that an app asks for does not exist, or its parameter is missing or wrong."""


class Stream(NamedTuple):
    """A stream: its name, and its tag, or the id of its list and the accounts in it."""

    name: str
    parameter: str = ""
    accounts: frozenset[int] = frozenset()

    @property
    def label(self) -> list[str]:
        """Return how events name their stream."""
        return [self.name, self.parameter] if self.parameter else [self.name]

    def takes(self, channel: str, event: LiveEvent) -> bool:
        """Return whether an event of a channel belongs to the stream."""
        if channel == NOTIFICATIONS:
            return self.name in {"user", "user:notification"}
        if channel == FEED:
            listed = self.name == "list" and (event.author_id is None or event.author_id in self.accounts)
            return self.name == "user" or listed
        return self.name in _PUBLIC or (self.name.startswith("hashtag") and self.parameter in event.tags)

    @property
    def is_public(self) -> bool:
        """Return whether the stream has photos of accounts that the user does not follow."""
        return self.name in _PUBLIC or self.name.startswith("hashtag")


class Form(Protocol):
    """How an event is written on one kind of transport."""

    def __call__(self, event: LiveEvent, stream: Stream) -> bytes:
        """Return the bytes of an event."""
        ...


def as_event(event: LiveEvent, stream: Stream) -> bytes:
    """Return a server-sent event; JSON has no line breaks."""
    del stream
    return b"event: %b\ndata: %b\n\n" % (event.name.encode(), event.payload)


def as_frame(event: LiveEvent, stream: Stream) -> bytes:
    """Return a WebSocket frame; the payload is a text that has JSON in it."""
    message = {"stream": stream.label, "event": event.name, "payload": event.payload.decode()}
    return text_frame(orjson.dumps(message))


class AppProjection:
    """The streams of one connection; `open_stream` checks a stream that is asked for, and reads what it needs."""

    def __init__(
        self,
        events: LiveEvents,
        viewer_id: int,
        form: Form,
        open_stream: Callable[[int, str, str], Awaitable[Stream]],
        streams: Sequence[Stream] = (),
    ) -> None:
        self._events = events
        self._viewer_id = viewer_id
        self._form = form
        self._open_stream = open_stream
        self._streams = {stream[:2]: stream for stream in streams}
        self._subscribe: Callable[[str], None] | None = None
        self._subscribed = False

    async def messages(self, channel: str, document: bytes) -> Sequence[bytes]:
        """Return an event once for each stream that it belongs to."""
        if channel == NOTIFICATIONS:
            event = await self._events.of_notification(document, self._viewer_id)
        else:
            event = await self._events.of_photo(document)
        if event is None:
            return ()
        return [self._form(event, stream) for stream in self._streams.values() if stream.takes(channel, event)]

    def opened(self, subscribe: Callable[[str], None]) -> None:
        """Subscribe to the public photos if a stream needs them."""
        self._subscribe = subscribe
        self._subscribe_if_needed()

    async def answers(self, text: str) -> Sequence[bytes]:
        """Subscribe to a stream or unsubscribe from one; the only answers are errors."""
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return [_error("Send JSON.", 400)]
        if not isinstance(message, dict) or message.get("type") not in {"subscribe", "unsubscribe"}:
            return [_error("Subscribe to a stream, or unsubscribe from one.", 400)]
        name, parameter = str(message.get("stream", "")), str(message.get("tag") or message.get("list") or "")
        if message["type"] == "unsubscribe":
            self._streams.pop((name, _normal(name, parameter)), None)
            return ()
        try:
            await self._add(name, parameter)
        except StreamError as error:
            return [_error(str(error), 404)]
        except NotFoundError:
            return [_error("There is no such list.", 404)]
        return ()

    async def _add(self, name: str, parameter: str) -> None:
        if len(self._streams) >= MAX_STREAMS:
            raise StreamError(f"A connection can have up to {MAX_STREAMS} streams.")
        stream = await self._open_stream(self._viewer_id, name, parameter)
        self._streams[stream[:2]] = stream
        self._subscribe_if_needed()

    def _subscribe_if_needed(self) -> None:
        if not self._subscribed and self._subscribe and any(each.is_public for each in self._streams.values()):
            self._subscribed = True
            self._subscribe(APPS_PUBLIC)


class StreamingRoutes:
    """Opens live connections of apps."""

    def __init__(self, live: Live, events: LiveEvents, reads: Reads) -> None:
        self._live = live
        self._events = events
        self._reads = reads

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, each also with a slash at its end."""
        paths: list[tuple[str, Handler]] = [
            (f"{PATH}/health", _health),
            (PATH, self.open),
            (f"{PATH}/{{stream:.+}}", self.events),
        ]
        return [
            web.get(path + slash, _rendered(handler), allow_head=False)
            for path, handler in paths
            for slash in ("", "/")
        ]

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Open a WebSocket, or a stream of events for a client that does not ask for one."""
        if "upgrade" not in request.headers.get("Connection", "").lower():
            return await self._open_events(request, request.query.get("stream", ""))
        identity = await self._identity(request)
        name = request.query.get("stream")
        streams = [] if name is None else [await self._stream_of(request, identity, name)]
        projection = AppProjection(self._events, identity.user_id, as_frame, self.stream, streams)
        return await self._live.projected.websocket(request, _subject(request), identity, projection)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Open a stream of server-sent events, by its name in the path."""
        return await self._open_events(request, request.match_info["stream"].strip("/").replace("/", ":"))

    async def stream(self, viewer_id: int, name: str, parameter: str) -> Stream:
        """Return a stream; raise `StreamError`, and `NotFoundError("list")` for a list of another user."""
        if name not in _KNOWN:
            raise StreamError("There is no such stream.")
        if name.startswith("hashtag"):
            tag = _normal(name, parameter)
            if not tag:
                raise StreamError("Name the tag of the stream.")
            return Stream(name, tag)
        if name == "list":
            list_id = parse_id(parameter, "list")
            members = await self._reads.read(viewer_id, lambda db: list_members.ids(db, list_id, owner_id=viewer_id))
            return Stream(name, parameter, frozenset(members))
        return Stream(name)

    async def _open_events(self, request: web.Request, name: str) -> web.StreamResponse:
        identity = await self._identity(request)
        stream = await self._stream_of(request, identity, name)
        projection = AppProjection(self._events, identity.user_id, as_event, self.stream, [stream])
        origin = request.headers.get("Origin")
        headers = {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        return await self._live.projected.events(request, _subject(request), identity, projection, headers=headers)

    async def _stream_of(self, request: web.Request, identity: Identity, name: str) -> Stream:
        parameter = request.query.get("tag") or request.query.get("list") or ""
        try:
            return await self.stream(identity.user_id, name, parameter)
        except StreamError as error:
            raise ProblemError(404, "route_not_found", str(error)) from error

    async def _identity(self, request: web.Request) -> Identity:
        token = _token_of(request)
        if not token:
            raise sign_in_required()
        try:
            identity = await self._live.authenticator.authenticate(token)
            await self._live.authenticator.confirm(identity)
        except (TokenExpiredError, TokenInvalidError) as error:
            raise unauthorized("invalid_token", str(error)) from error
        return identity


def _error(detail: str, status: int) -> bytes:
    return text_frame(orjson.dumps({"error": detail, "status": status}))


def _token_of(request: web.Request) -> str:
    """Return the token of a request: in its header, or where browsers can put one for a WebSocket."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    return request.query.get("access_token", "") or request.headers.get("Sec-WebSocket-Protocol", "")


def _normal(name: str, parameter: str) -> str:
    if not name.startswith("hashtag"):
        return parameter
    try:
        return texts.tag(parameter, max_letters=texts.MAX_TAG_LENGTH)
    except ValueError:
        return ""


def _subject(request: web.Request) -> str:
    return address_subject(request[ADDRESS])


def _rendered(handler: Handler) -> Handler:
    async def with_errors(request: web.Request) -> web.StreamResponse:
        request[RENDERER] = render
        return await handler(request)

    return with_errors


async def _health(_request: web.Request) -> web.Response:
    return web.Response(text="OK")
