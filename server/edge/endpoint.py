"""One entry of the API's route table: what an address does, who may use it, and what it takes and gives.

The table is the only description: the router, the guard and the OpenAPI document all read it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto

from aiohttp import web
from pydantic import BaseModel

from server.edge.api_request import ApiRequest

PREFIX = "/api/v1"

Handler = Callable[[ApiRequest], Awaitable[web.StreamResponse]]


class Auth(Enum):
    """Who may use an endpoint."""

    NONE = auto()  # credentials are not even looked at, so that a stale cookie cannot keep one from signing in
    OPTIONAL = auto()  # people who are signed in are known, others are visitors
    REQUIRED = auto()  # signed in


class BodyFormat(Enum):
    """How a request body comes."""

    JSON = "application/json"
    MULTIPART = "multipart/form-data"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An operation below `/api/v1`.

    `quota` names the rate (a field of `RateLimits`) for people who are signed in; others count as
    "anonymous". With `gated` False the handler itself asks for quota and revocation. `problems` are the
    error statuses beyond those that every endpoint of its kind may give.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    auth: Auth = Auth.REQUIRED
    quota: str = "reads"
    gated: bool = True
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_format: BodyFormat = BodyFormat.JSON
    status: int = 200
    response: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    idempotent: bool = False


FILE_FIELD = "file"
