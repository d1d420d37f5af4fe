"""Idempotency keys: a creation that is repeated with its key has one effect and one response.

The response is stored in the transaction of the effect, so that after a crash there are both or neither. Simultaneous
requests with one key are handled in `storage.stores.idempotency`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import web

from server.edge.api_request import ApiRequest, json_response
from server.edge.problem import ProblemError, bad_field
from storage.postgres.database import Database, Transaction
from storage.stores import idempotency

HEADER = "Idempotency-Key"
KEY_PATTERN = r"[\x21-\x7e]{1,255}"
_KEY = re.compile(KEY_PATTERN)

Create = Callable[[Transaction], Awaitable[bytes]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Creation:
    """A creation that may be requested again: its user, its key if any, and what it does, as "POST /api/v1/lists"."""

    user_id: int
    key: str | None
    operation: str

    @classmethod
    def of(cls, request: ApiRequest) -> Creation:
        """Return the creation that a request to the API asks for; raise a 400 for an invalid key."""
        http = request.http
        key = http.headers.get(HEADER)
        return cls(
            user_id=request.viewer.user_id,
            key=None if key is None else checked_key(key, HEADER),
            operation=f"{http.method} {http.path}",
        )

    def fingerprint(self, content: bytes) -> str:
        """Return the fingerprint of the input: the same key for another operation is other input."""
        return hashlib.sha256(f"{self.operation}\n".encode() + content).hexdigest()


class Created(NamedTuple):
    """The response to a creation, and whether it is that of an earlier request with the same key."""

    status: int
    body: bytes
    replayed: bool = False


class Idempotency:
    """Idempotent creation: once for each key of a user."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def replay(self, creation: Creation, content: bytes) -> Created | None:
        """Return the stored response of a request that was made before with the same key, or None.

        For work that comes before `create` and outside its transaction. Raises a 422 like `create`.
        """
        if creation.key is None:
            return None
        claim = await idempotency.find(
            self._db, user_id=creation.user_id, key=creation.key, fingerprint=creation.fingerprint(content)
        )
        return None if claim.state == "new" else _repeated(claim)

    async def create(self, creation: Creation, content: bytes, create: Create) -> Created:
        """Return the JSON that `create` returns, or the one that it returned for the same key before.

        `create` writes in the transaction that it is given. `content` is the whole input. Raises a 422 for a key that
        was used with other input, and a 409 while the first request is still running.
        """
        key, user_id = creation.key, creation.user_id
        if key is None:
            async with self._db.transaction() as tx:
                return Created(201, await create(tx))
        digest = creation.fingerprint(content)
        await idempotency.reserve(self._db, user_id=user_id, key=key, fingerprint=digest)
        # Claim, effect and response are one transaction: a crash leaves none of them, and the key stays unused.
        async with self._db.transaction() as tx:
            claim = await idempotency.claim(tx, user_id=user_id, key=key, fingerprint=digest)
            if claim.state != "new":
                return _repeated(claim)
            body = await create(tx)
            await idempotency.finish(tx, user_id=user_id, key=key, fingerprint=digest, status=201, response=body)
        return Created(201, body)


def checked_key(key: str, field: str) -> str:
    """Return a key; raise a 400 that names the header or argument if it is not valid."""
    if _KEY.fullmatch(key) is None:
        raise bad_field(field, "Use 1 to 255 printable ASCII characters.")
    return key


def created_response(created: Created) -> web.Response:
    """Return the response of the API to a creation."""
    response = json_response(created.body, status=created.status)
    if created.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _repeated(claim: idempotency.Claim) -> Created:
    if claim.state == "mismatch":
        raise ProblemError(
            422,
            "idempotency_key_reused",
            "This key was used before with another body. Use a new key for each new request.",
        )
    if claim.state == "running":
        detail = "The first request with this key is still running. Try again in a second."
        raise ProblemError(409, "idempotency_key_in_use", detail, headers={"Retry-After": "1"})
    return Created(claim.status or 201, claim.response or b"", replayed=True)
