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


class Access(Enum):
    """Who may use an endpoint."""

    ANYONE = auto()  # credentials are not even looked at, so that a stale cookie cannot keep one from signing in
    VISITORS = auto()  # people who are signed in are known, others are visitors
    MEMBERS = auto()  # signed in


class Form(Enum):
    """How a request body comes."""

    JSON = "application/json"
    MULTIPART = "multipart/form-data"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An operation below `/api/v1`.

    `quota` names the rate (a field of `Limits`) for people who are signed in; others count as
    "anonymous". With `gated` False the handler itself asks for quota and revocation. `problems` are the
    error statuses beyond those that every endpoint of its kind may give.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    access: Access = Access.MEMBERS
    quota: str = "reads"
    gated: bool = True
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    form: Form = Form.JSON
    status: int = 200
    answer: type[BaseModel] | None = None
    problems: tuple[int, ...] = ()
    idempotent: bool = False


FILE_FIELD = "file"
