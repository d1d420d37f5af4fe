"""Idempotency keys: a creation that is repeated with its key has one effect and one response.

The response is stored in the transaction of the effect, so that after a crash there are both or neither. Simultaneous
requests with one key are handled in `storage.stores.idempotency`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.edge.api_request import ApiRequest, json_response
from server.edge.problem import ProblemError, bad_field
from storage.postgres.database import Database, Transaction
from storage.stores import idempotency

HEADER = "Idempotency-Key"
KEY_PATTERN = r"[\x21-\x7e]{1,255}"
_KEY = re.compile(KEY_PATTERN)

Create = Callable[[Transaction], Awaitable[bytes]]


class Idempotency:
    """Idempotent creation: once for each key of a user."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def replay(self, request: ApiRequest, fingerprint: bytes) -> web.Response | None:
        """Return the stored response of a request that was made before with the same key, or None.

        For work that comes before `create` and outside its transaction. Raises a 422 like `create`.
        """
        key = _key_of(request.http)
        if key is None:
            return None
        digest = _fingerprint(request.http, fingerprint)
        claim = await idempotency.find(self._db, user_id=request.viewer.user_id, key=key, fingerprint=digest)
        return None if claim.state == "new" else _repeated(claim)

    async def create(self, request: ApiRequest, fingerprint: bytes, create: Create) -> web.Response:
        """Return a 201 with the JSON that `create` returns, or with the one that it returned for the same key before.

        `create` writes in the transaction that it is given. `fingerprint` is the whole input. Raises a 422 for a key
        that was used with other input, and a 409 while the first request is still running.
        """
        key = _key_of(request.http)
        if key is None:
            async with self._db.transaction() as tx:
                body = await create(tx)
            return json_response(body, status=201)
        user_id = request.viewer.user_id
        digest = _fingerprint(request.http, fingerprint)
        await idempotency.reserve(self._db, user_id=user_id, key=key, fingerprint=digest)
        # Claim, effect and response are one transaction: a crash leaves none of them, and the key stays unused.
        async with self._db.transaction() as tx:
            claim = await idempotency.claim(tx, user_id=user_id, key=key, fingerprint=digest)
            if claim.state != "new":
                return _repeated(claim)
            body = await create(tx)
            await idempotency.finish(tx, user_id=user_id, key=key, fingerprint=digest, status=201, response=body)
        return json_response(body, status=201)


def _fingerprint(request: web.Request, content: bytes) -> str:
    # The same key on another path is other input.
    return hashlib.sha256(f"{request.method} {request.path}\n".encode() + content).hexdigest()


def _repeated(claim: idempotency.Claim) -> web.Response:
    if claim.state == "mismatch":
        raise ProblemError(
            422,
            "idempotency_key_reused",
            "This key was used before with another body. Use a new key for each new request.",
        )
    if claim.state == "running":
        detail = "The first request with this key is still running. Try again in a second."
        raise ProblemError(409, "idempotency_key_in_use", detail, headers={"Retry-After": "1"})
    response = json_response(claim.response or b"", status=claim.status or 201)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _key_of(request: web.Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and _KEY.fullmatch(key) is None:
        raise bad_field(HEADER, "Use 1 to 255 printable ASCII characters.")
    return key
