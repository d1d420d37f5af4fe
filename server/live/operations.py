"""Remote procedure calls of live clients: some operations of the REST API, under the same rate limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from channels.contract.errors import LiveUnavailableError, OperationError, UnknownOperationError
from channels.contract.ports import Identity
from server.actions.notifications import MARK_QUOTA, NotificationActions
from server.actions.reactions import LIKE_QUOTA, ReactionActions
from server.edge.activity_responses import NotificationCountersResponse
from server.edge.guard import require_scope
from server.edge.notification_requests import NotificationSelection
from server.edge.photo_responses import LikeResponse
from server.edge.problem import ProblemError, invalid
from server.edge.problems import problem_of
from server.edge.requests import PhotoReference
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import READ_QUOTA
from storage.notifications import NotificationMark
from storage.postgres.reads import Reads
from storage.stores.notifications.notification_marks import Selection

Run = Callable[[int, Any], Awaitable[bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """A method that clients may call: its parameters, its rate limit, and the function that runs it for a viewer.

    `scope` is what the token of an application needs for it.
    One that `stores` adds something that stays, and is refused while the disk is full.
    """

    parameters: type[BaseModel]
    quota: str
    scope: str
    run: Run
    stores: bool = False


class NoParameters(BaseModel):
    """No parameters; anything that is sent is ignored."""


_likes = partial(Operation, parameters=PhotoReference, quota=LIKE_QUOTA, scope="write:likes")
_marks = partial(Operation, parameters=NotificationSelection, quota=MARK_QUOTA, scope="write:notifications")


class LiveOperations:
    """Run `like`, `unlike`, `seen`, `read` and `counters`; `require_space` is that of `server.edge.guard`.

    The code of an error is the status of the REST API's response (404, 422, 429), its message is the same `detail`.
    """

    def __init__(
        self,
        reactions: ReactionActions,
        notifications: NotificationActions,
        limiter: RateLimiter,
        reads: Reads,
        *,
        require_space: Callable[[], None],
    ) -> None:
        self._reactions = reactions
        self._notifications = notifications
        self._limiter = limiter
        self._reads = reads
        self._require_space = require_space
        self._operations = {
            "like": _likes(run=self._like, stores=True),
            "unlike": _likes(run=self._unlike),
            "seen": _marks(run=self._mark_seen),
            "read": _marks(run=self._mark_read),
            "counters": Operation(
                parameters=NoParameters, quota=READ_QUOTA, scope="read:notifications", run=self._counters
            ),
        }

    async def call(self, identity: Identity, method: str, data: object) -> bytes:
        """Return the result; raise `UnknownOperationError`, `OperationError` or `LiveUnavailableError`."""
        operation = self._operations.get(method)
        if operation is None:
            known = ", ".join(self._operations)
            raise UnknownOperationError(f"There is no method {method!r}. The methods are {known}.")
        try:
            parameters = _validated(operation.parameters, data)
            require_scope(identity.scopes, operation.scope)
            await self._limiter.check_user(operation.quota, identity.user_id, identity.session)
            if operation.stores:
                self._require_space()
            return await self._run(identity.user_id, operation, parameters)
        except Exception as error:
            raise _translated(error) from error

    async def _run(self, viewer_id: int, operation: Operation, parameters: object) -> bytes:
        if operation.quota == READ_QUOTA:
            return await operation.run(viewer_id, parameters)
        try:
            return await operation.run(viewer_id, parameters)
        finally:
            # As after a write over HTTP; see `server.edge.guard`.
            await self._reads.keep_position(viewer_id)

    async def _like(self, viewer_id: int, parameters: PhotoReference) -> bytes:
        return LikeResponse.from_model(await self._reactions.like(viewer_id, parameters.photo_id)).to_bytes()

    async def _unlike(self, viewer_id: int, parameters: PhotoReference) -> bytes:
        return LikeResponse.from_model(await self._reactions.unlike(viewer_id, parameters.photo_id)).to_bytes()

    async def _mark_seen(self, viewer_id: int, parameters: NotificationSelection) -> bytes:
        await self._notifications.mark(viewer_id, NotificationMark.SEEN, _selection(parameters))
        return await self._counters(viewer_id, parameters)

    async def _mark_read(self, viewer_id: int, parameters: NotificationSelection) -> bytes:
        await self._notifications.mark(viewer_id, NotificationMark.READ, _selection(parameters))
        return await self._counters(viewer_id, parameters)

    async def _counters(self, viewer_id: int, _parameters: object) -> bytes:
        counters = await self._notifications.counters(viewer_id)
        return NotificationCountersResponse.from_model(counters).to_bytes()


def _selection(chosen: NotificationSelection) -> Selection:
    return Selection(chosen.ids, chosen.up_to, chosen.kinds)


def _validated(model: type[BaseModel], data: object) -> BaseModel:
    try:
        # The models are strict about types and decode ids only in their JSON mode.
        return model.model_validate_json(orjson.dumps({} if data is None else data))
    except ValidationError as error:
        raise invalid(error) from error
    except (TypeError, orjson.JSONEncodeError) as error:
        raise ProblemError(422, "invalid_input", "data: Send a JSON object.") from error


def _translated(error: Exception) -> Exception:
    """Return an error of the stores or the edge as the live layer's own; an unexpected one is returned unchanged."""
    problem = problem_of(error)
    if problem is None:
        return error
    if problem.status >= 500:
        return LiveUnavailableError(str(error))
    return OperationError(problem.status, problem.detail, temporary=problem.status == 429)
