"""What a live client asks of the service over its connection: a few operations of the REST API, under its limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from channels.contract.errors import LiveUnavailableError, OperationError, UnknownOperationError
from channels.contract.ports import Identity
from server.actions.counting import Counting
from server.edge.problems import ProblemError, invalid, problem_of
from server.edge.requests import NotificationSelection, PhotoReference
from server.edge.responses import LikeResponse, NotificationCountersResponse
from server.identity.rate_limits import RateLimits
from storage.limits.quotas import Quotas
from storage.models import PhotoCounters
from storage.postgres.database import Database
from storage.stores import likes, notifications

Run = Callable[[int, Any], Awaitable[bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One operation: what it takes, which quota it is charged to, and what carries it out for a person."""

    takes: type[BaseModel]
    quota: str
    run: Run


class LiveOperations:
    """Carry out `like`, `unlike`, `seen`, `read` and `counters`.

    An error has the status of the REST API's answer as its code (404, 422, 429), and its words.
    """

    def __init__(self, db: Database, counting: Counting, quotas: Quotas, limits: RateLimits) -> None:
        self._db = db
        self._counting = counting
        self._quotas = quotas
        self._limits = limits
        self._table = {
            "like": Operation(takes=PhotoReference, quota="likes", run=self._like),
            "unlike": Operation(takes=PhotoReference, quota="likes", run=self._unlike),
            "seen": Operation(takes=NotificationSelection, quota="writes", run=self._seen),
            "read": Operation(takes=NotificationSelection, quota="writes", run=self._read),
            "counters": Operation(takes=Nothing, quota="reads", run=self._counters),
        }

    async def call(self, identity: Identity, method: str, data: object) -> bytes:
        """Return the result; raise `UnknownOperationError`, `OperationError` or `LiveUnavailableError`."""
        operation = self._table.get(method)
        if operation is None:
            raise UnknownOperationError(f"there is no method {method!r}; there are {', '.join(self._table)}")
        try:
            form = _form_of(operation.takes, data)
            await self._charge(operation, identity)
            return await operation.run(identity.user_id, form)
        except Exception as error:
            raise _translated(error) from error

    async def _charge(self, operation: Operation, identity: Identity) -> None:
        policy = self._limits.policy(operation.quota)
        quota, revoked = await self._quotas.check_session_and_quota(policy, identity.user_id, identity.session)
        if revoked:
            raise ProblemError(401, "session_revoked", "this session has ended; sign in again")
        if not quota.allowed:
            detail = f'the limit "{policy.name}" is used up; come back in {quota.retry_after_whole} s'
            raise ProblemError(429, "too_many_requests", detail)

    async def _like(self, user_id: int, form: PhotoReference) -> bytes:
        async with self._db.transaction() as tx:
            state = await likes.add(tx, photo_id=form.photo_id, user_id=user_id)
        return await self._liked(user_id, state)

    async def _unlike(self, user_id: int, form: PhotoReference) -> bytes:
        async with self._db.transaction() as tx:
            state = await likes.remove(tx, photo_id=form.photo_id, user_id=user_id)
        return await self._liked(user_id, state)

    async def _liked(self, user_id: int, state: PhotoCounters) -> bytes:
        await self._counting.apply(state, user_id)
        return LikeResponse(liked=state.liked, likes=state.likes).to_bytes()

    async def _seen(self, user_id: int, form: NotificationSelection) -> bytes:
        async with self._db.transaction() as tx:
            await notifications.mark_seen(tx, user_id, form.ids)
        return await self._counters(user_id, form)

    async def _read(self, user_id: int, form: NotificationSelection) -> bytes:
        async with self._db.transaction() as tx:
            await notifications.mark_read(tx, user_id, form.ids)
        return await self._counters(user_id, form)

    async def _counters(self, user_id: int, _form: object) -> bytes:
        found = await notifications.counters(self._db, user_id)
        return NotificationCountersResponse(unseen=found.unseen, unread=found.unread).to_bytes()


class Nothing(BaseModel):
    """No parameters; whatever is sent is ignored."""


def _form_of(model: type[BaseModel], data: object) -> BaseModel:
    try:
        # By way of JSON, since that is how the models read ids and refuse what is of the wrong kind.
        return model.model_validate_json(orjson.dumps({} if data is None else data))
    except ValidationError as error:
        raise invalid(error) from error
    except (TypeError, orjson.JSONEncodeError) as error:
        raise ProblemError(422, "invalid_input", "data: it should be a JSON object") from error


def _translated(error: Exception) -> Exception:
    """Return an error of the stores or the edge as the live layer knows it; what nobody expected stays as it is."""
    problem = problem_of(error)
    if problem is None:
        return error
    if problem.status >= 500:
        return LiveUnavailableError(str(error))
    return OperationError(problem.status, problem.detail, temporary=problem.status == 429)
