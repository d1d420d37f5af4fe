"""A request to the API as its handler sees it: the viewer, validated input, and the bodies of responses."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from server.edge.body import BodyPace, read_limited
from server.edge.languages import language_of
from server.edge.problem import ProblemError, bad_field, invalid, sign_in_required
from server.identity.clients import Client
from server.identity.rate_limits import Charge, rate_limit_headers
from storage import ids
from storage.errors import NotFoundError
from storage.models import Role

MAX_JSON_BYTES = 64 * 1024
DEVICE_COOKIE = "picshare_device"
DEGRADED = "PicShare-Degraded"  # names the engine that is away

M = TypeVar("M", bound=BaseModel)

# Header fields that the middleware adds to the response, also when that is an error.
RESPONSE_HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("response_headers", dict)
ADDRESS: web.RequestKey[str] = web.RequestKey("address", str)


class Viewer(NamedTuple):
    """The signed-in user of a request; `by_cookie` when the browser attached the token by itself.

    A `restricted` one is the user of a suspended account. `scopes` are what the token of an application or program
    permits, and `client_id` is the application; None in a session that the user signed in to, which may do everything.
    """

    user_id: int
    user_text: str
    session: str
    role: Role
    expires_at: int
    by_cookie: bool
    restricted: bool = False
    scopes: frozenset[str] | None = None
    client_id: int | None = None


VIEWER: web.RequestKey[Viewer] = web.RequestKey("viewer", Viewer)


class ApiRequest:
    """A request and its viewer, if there is one; `http` is the aiohttp request."""

    __slots__ = ("_pace", "_viewer", "http")

    def __init__(self, http: web.Request, viewer: Viewer | None, pace: BodyPace) -> None:
        self.http = http
        self._viewer = viewer
        self._pace = pace

    @property
    def viewer(self) -> Viewer:
        """Return the signed-in user; raise a 401 if there is none."""
        if self._viewer is None:
            raise sign_in_required()
        return self._viewer

    @property
    def viewer_id(self) -> int | None:
        """Return the id of the signed-in user, or None."""
        return None if self._viewer is None else self._viewer.user_id

    @property
    def address(self) -> str:
        """Return the client's network address."""
        return self.http[ADDRESS]

    @property
    def client(self) -> Client:
        """Return the client: its address, its `User-Agent`, the device token in its cookie, and its language."""
        return Client(
            address=self.address,
            user_agent=self.http.headers.get("User-Agent", ""),
            device_token=self.http.cookies.get(DEVICE_COOKIE, ""),
            language=language_of(self.http),
        )

    def report_rate_limit(self, charge: Charge) -> None:
        """Add what is left of a rate limit to the response's header fields, also when that becomes an error."""
        self.http[RESPONSE_HEADERS] = rate_limit_headers(charge)
        if charge.local:
            self.report_degraded("redis")

    def report_headers(self, headers: Mapping[str, str]) -> None:
        """Add the header fields of a problem that is a part of the response to those of the response."""
        self.http.setdefault(RESPONSE_HEADERS, {}).update(headers)

    def report_degraded(self, engine: str) -> None:
        """Add to the response's header fields that this engine is away, and what is missing or late for that."""
        self.http.setdefault(RESPONSE_HEADERS, {})[DEGRADED] = engine

    def id(self, name: str = "id") -> int:
        """Return an id from the path; raise a 400 that names the parameter."""
        try:
            return ids.decode(self.http.match_info[name])
        except ids.BadIdError as error:
            raise bad_field(name, str(error)) from error

    def session_id(self, name: str = "session") -> str:
        """Return the id of a session from the path; raise a 400 that names the parameter."""
        try:
            return str(uuid.UUID(self.http.match_info[name]))
        except ValueError as error:
            raise bad_field(name, "This is no id of a session.") from error

    def name_or_id(self) -> str:
        """Return the username or id in the path, the viewer's id for `me`; raise `NotFoundError("user")`."""
        name = self.http.match_info["id"]
        if name == "me":
            return self.viewer.user_text
        if not name.isprintable():
            raise NotFoundError("user")
        return name

    def query(self, model: type[M]) -> M:
        """Return the query parameters; raise a 400 that names the invalid ones."""
        try:
            found: M = _parsed(model, self.http.rel_url.raw_query_string)
        except ValidationError as error:
            raise invalid(error, status=400) from error
        return found

    async def json(self) -> Any:
        """Return the JSON body, an empty object where there is none; raise a 400 (not JSON), 408, 413 or 415."""
        raw = await self._read()
        try:
            return orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError as error:
            raise ProblemError(400, "malformed_json", f"The body is not valid JSON: {error}.") from error

    async def body(self, model: type[M]) -> M:
        """Return the JSON body; raise what `json` does, or a 422 where it does not fit the model."""
        value = await self.json()
        if not isinstance(value, dict):
            raise bad_field("body", "The body must be a JSON object.", status=422)
        return model.model_validate(value)

    async def _read(self) -> bytes:
        if self.http.body_exists and self.http.content_type != "application/json":
            raise ProblemError(
                415, "unsupported_media_type", "Send the body as JSON, with the header Content-Type: application/json."
            )
        return await self.read_body()

    async def read_body(self) -> bytes:
        """Return the body, of at most `MAX_JSON_BYTES`; raise a 408, 413 or 415."""
        return await read_limited(self.http, self._pace, MAX_JSON_BYTES)


@lru_cache(maxsize=1024)
def _parsed(model: type[M], raw: str) -> M:
    # Query models are frozen, so that they can be cached: most requests are for the same first page.
    return model.model_validate_strings(dict(parse_qsl(raw, keep_blank_values=True)))


def json_response(body: bytes, *, status: int = 200) -> web.Response:
    """Return a response with a JSON body."""
    return web.Response(body=body, status=status, content_type="application/json")


def empty_response(status: int = 204) -> web.Response:
    """Return a response without a body."""
    return web.Response(status=status)


def redirect_response(path: str) -> web.Response:
    """Return a redirect to a path that keeps the method (RFC 9110, 308)."""
    return web.Response(status=308, headers={"Location": path})


def list_response(items: list[bytes], cursor: str | None, **members: Any) -> web.Response:
    """Return a page of JSON items and the cursor of the next page; `members` are added to the object."""
    return joined_list_response([b",".join(items)], cursor, **members)


def joined_list_response(pieces: list[bytes], cursor: str | None, **members: Any) -> web.Response:
    """Return a page as `list_response` does, from pieces that hold the items and the commas between them."""
    # The items are JSON already; only the members after them are serialized, without their opening brace.
    end = orjson.dumps({"next": cursor, **members})
    return json_response(b"".join((b'{"items":[', *pieces, b"],", end[1:])))
