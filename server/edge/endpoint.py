"""One entry of the API's route table: method and path, handler, authentication, rate limit, input and output.

The table is the only description of the API: the router, the guard and the OpenAPI document are made from it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from aiohttp import web
from pydantic import BaseModel

from server.edge.api_request import ApiRequest
from server.identity.rate_limits import READ_QUOTA

PREFIX = "/api/v1"
FILE_FIELD = "file"  # of a multipart upload
TOKEN_PARAMETER = "token"  # noqa: S105 - of paths: the token of a link, which is not for logs

Handler = Callable[[ApiRequest], Awaitable[web.StreamResponse]]


class Auth(Enum):
    """How an endpoint authenticates its client."""

    NONE = auto()  # credentials are ignored, so that an expired cookie cannot prevent signing in
    OPTIONAL = auto()  # a client without credentials is a visitor; invalid ones are still a 401
    REQUIRED = auto()


class BodyFormat(Enum):
    """Media type of a request body."""

    JSON = "application/json"
    MULTIPART = "multipart/form-data"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """An operation below `/api/v1`.

    `quota` names the rate limit (a field of `RateLimits`) of signed-in users, as the action states it, and
    `new_account_quota` the one that new accounts are charged to in addition; visitors are charged to "anonymous". With
    `guarded` False the handler itself checks the rate limit and revocation. One that `stores` adds something that
    stays, and is refused while the disk is full. `errors` are the error statuses beyond those that every endpoint of
    its kind may return, `other_responses` further successes, and `alternatives` other bodies of `status`, depending on
    the query. An endpoint with another body format also takes `json_body`. With `by_name` the id in the path may also
    be a username. `redirect` describes when the response is a 308. First pages of one that is `tagged` have an entity
    tag. `while_suspended` is open to the user of a suspended account. One with `recent_proof` is a dangerous step, for
    which the user must have been authenticated a moment ago. One that works `without_redis` goes on while Redis is
    away, as all reads do. One that is `safe` is a read whatever its method, or its handler treats writes as such.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    auth: Auth = Auth.REQUIRED
    quota: str = READ_QUOTA
    new_account_quota: str | None = None
    guarded: bool = True
    stores: bool = False
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    body_format: BodyFormat = BodyFormat.JSON
    status: int = 200
    response: type[BaseModel] | None = None
    other_responses: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    alternatives: tuple[type[BaseModel], ...] = ()
    json_body: type[BaseModel] | None = None
    errors: tuple[int, ...] = ()
    idempotent: bool = False
    by_name: bool = False
    redirect: str | None = None
    tagged: bool = False
    while_suspended: bool = False
    recent_proof: bool = False
    without_redis: bool = False
    safe: bool = False

    @property
    def reads(self) -> bool:
        """Return whether the operation changes nothing."""
        return self.safe or self.method in {"GET", "HEAD"}
