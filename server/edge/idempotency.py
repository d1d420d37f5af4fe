"""Idempotency keys: a create that is repeated with its key has one effect and one answer.

The answer is stored in the transaction of the effect, so that after a crash there are both or neither;
see `storage.stores.idempotency` for how simultaneous repeats are kept out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.edge.api_request import ApiRequest, json_response
from server.edge.problems import ProblemError, bad_field
from storage.postgres.database import Database, Transaction
from storage.stores import idempotency

HEADER = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Act = Callable[[Transaction], Awaitable[bytes]]


class Idempotency:
    """Carry out creates once for each key of a person."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def replay(self, request: ApiRequest, fingerprint: bytes) -> web.Response | None:
        """Return the stored response of a request that was made before with the same key, or None.

        For work that comes before `create` and outside its transaction. Raises a 422 like `create`.
        """
        key = _key_of(request.http)
        if key is None:
            return None
        print_ = _fingerprint(request.http, fingerprint)
        claim = await idempotency.find(self._db, user_id=request.viewer.user_id, key=key, fingerprint=print_)
        return None if claim.state == "new" else _repeated(claim)

    async def create(self, request: ApiRequest, fingerprint: bytes, act: Act) -> web.Response:
        """Answer 201 with what `act` returns (JSON), or with what it returned for the same key before.

        `act` writes within the transaction it is given. `fingerprint` is the whole input. Raises a 422
        for a key that came with another input and a 409 while the first request still runs.
        """
        key = _key_of(request.http)
        if key is None:
            async with self._db.transaction() as tx:
                body = await act(tx)
            return json_response(body, status=201)
        user_id = request.viewer.user_id
        print_ = _fingerprint(request.http, fingerprint)
        async with self._db.transaction() as tx:
            claim = await idempotency.claim(tx, user_id=user_id, key=key, fingerprint=print_)
            if claim.state != "new":
                return _repeated(claim)
            body = await act(tx)
            await idempotency.finish(tx, user_id=user_id, key=key, fingerprint=print_, status=201, response=body)
        return json_response(body, status=201)


def _fingerprint(request: web.Request, content: bytes) -> str:
    # The same key at another address is another input.
    return hashlib.sha256(f"{request.method} {request.path}\n".encode() + content).hexdigest()


def _repeated(claim: idempotency.Claim) -> web.Response:
    if claim.state == "mismatch":
        raise ProblemError(422, "idempotency_key_reused", "this key came before with another body")
    if claim.state == "running":
        detail = "the first request with this key still runs"
        raise ProblemError(409, "idempotency_key_in_use", detail, headers={"Retry-After": "1"})
    response = json_response(claim.response or b"", status=claim.status or 201)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _key_of(request: web.Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and _KEY.fullmatch(key) is None:
        raise bad_field(HEADER, "use 1 to 255 printable ASCII characters")
    return key
