"""One request to the API, as its handler sees it: who calls, and the checked parts of what was sent."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from server.edge.problems import ProblemError, bad_field, invalid, unauthorized
from storage import ids
from storage.models import Role

MAX_JSON_BYTES = 64 * 1024

M = TypeVar("M", bound=BaseModel)

# Header fields that the middleware puts on whatever answer the request gets.
RESPONSE_HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("answer_headers", dict)
ADDRESS: web.RequestKey[str] = web.RequestKey("address", str)


class Viewer(NamedTuple):
    """Who is signed in; `by_cookie` when the browser sent the proof by itself."""

    user_id: int
    user_text: str
    session: str
    role: Role
    expires_at: int
    by_cookie: bool


VIEWER: web.RequestKey[Viewer] = web.RequestKey("viewer", Viewer)


class ApiRequest:
    """A request and its viewer, if any."""

    __slots__ = ("_body_timeout", "_viewer", "http")

    def __init__(self, request: web.Request, viewer: Viewer | None, *, body_timeout: float) -> None:
        self.http = request
        self._viewer = viewer
        self._body_timeout = body_timeout

    @property
    def viewer(self) -> Viewer:
        """Return who is signed in; raise a 401 if nobody is."""
        if self._viewer is None:
            raise unauthorized("unauthorized", "sign in first")
        return self._viewer

    @property
    def viewer_id(self) -> int | None:
        """Return the id of who is signed in, or None."""
        return None if self._viewer is None else self._viewer.user_id

    @property
    def address(self) -> str:
        """Return the caller's address."""
        return self.http[ADDRESS]

    def add_headers(self, headers: dict[str, str]) -> None:
        """Put header fields on the answer, whichever it will be."""
        self.http[RESPONSE_HEADERS] = headers

    def id(self, name: str = "id") -> int:
        """Return an id of the address; raise a 400 that names it."""
        try:
            return ids.decode(self.http.match_info[name])
        except ids.BadIdError as error:
            raise bad_field(name, str(error)) from error

    def query(self, model: type[M]) -> M:
        """Return the query's parameters; raise a 400 that names the bad one."""
        try:
            found: M = _parsed(model, self.http.rel_url.raw_query_string)
        except ValidationError as error:
            raise invalid(error, status=400) from error
        return found

    async def body(self, model: type[M]) -> M:
        """Return the JSON body; raise 400 (no JSON), 408, 413, 415 or 422 (does not fit the model)."""
        raw = await self._read()
        try:
            value: Any = orjson.loads(raw) if raw else {}
        except orjson.JSONDecodeError as error:
            raise ProblemError(400, "malformed_json", f"the body is not JSON: {error}") from error
        return model.model_validate(value)

    async def _read(self) -> bytes:
        request = self.http
        refuse_encoding(request)
        if request.body_exists and request.content_type != "application/json":
            raise ProblemError(415, "unsupported_media_type", "send JSON, with Content-Type: application/json")
        if (request.content_length or 0) > MAX_JSON_BYTES:
            raise _too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_timeout):
                while chunk := await request.content.readany():
                    body += chunk
                    if len(body) > MAX_JSON_BYTES:
                        raise _too_large()
        except TimeoutError as error:
            raise body_timeout() from error
        return bytes(body)


@lru_cache(maxsize=1024)
def _parsed(model: type[M], raw: str) -> M:
    # Models of queries are frozen, and most requests ask for the same first page.
    return model.model_validate_strings(dict(parse_qsl(raw, keep_blank_values=True)))


def refuse_encoding(request: web.BaseRequest) -> None:
    """Raise a 415 for a compressed body: a few bytes of it could stand for gigabytes."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProblemError(415, "unsupported_encoding", "send the body without Content-Encoding")


def body_timeout() -> ProblemError:
    """Return the 408 of a body that does not arrive, after which the connection ends."""
    return ProblemError(408, "body_timeout", "the body took too long to arrive", headers={"Connection": "close"})


def _too_large() -> ProblemError:
    return ProblemError(413, "body_too_large", f"a JSON body has at most {MAX_JSON_BYTES} bytes")


def json_response(body: bytes, *, status: int = 200) -> web.Response:
    """Return an answer of ready JSON bytes."""
    return web.Response(body=body, status=status, content_type="application/json")


def empty_response(status: int = 204) -> web.Response:
    """Return an answer without a body."""
    return web.Response(status=status)


def list_response(items: list[bytes], cursor: str | None, **beside: Any) -> web.Response:
    """Return a list of ready JSON items and the cursor of what follows; `beside` are further members."""
    return joined_list_response([b",".join(items)], cursor, **beside)


def joined_list_response(pieces: list[bytes], cursor: str | None, **beside: Any) -> web.Response:
    """Return a list as `list_response` does, from pieces that make the items and the commas between them."""
    end = orjson.dumps({"next": cursor, **beside})
    return json_response(b"".join((b'{"items":[', *pieces, b"],", end[1:])))
