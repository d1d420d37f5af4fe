"""Prepare operations and charge them: the check of a document, and the cost of what it asks for."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from server.graphql.errors import RequestRefusedError
from server.graphql.executor import Executor
from server.graphql.operations import PreparedOperation
from server.graphql.requests import OperationRequest

CHECKED_BYTES = 256  # of a document that has to be checked, for one request of the rate limit
COST_UNIT = 20  # of the cost of an operation, for one request of the rate limit

FindDocument = Callable[[OperationRequest], tuple[str, bool]]
"""Returns the text of a request's document, and whether the operator has registered it."""

Charge = Callable[[int], Awaitable[None]]
"""Charges so many requests to the rate limit of reads; raises where it is used up, or the session was revoked."""


class ChargedOperation(NamedTuple):
    """An operation, whether its document was checked before, and the requests that it is still to be charged."""

    prepared: PreparedOperation
    known: bool
    due: int


async def prepare_charged(
    executor: Executor, find: FindDocument, request: OperationRequest, charge: Charge
) -> ChargedOperation:
    """Return an operation that is ready to be executed; raise `RequestRefusedError`, and what `charge` raises.

    Every request is charged at least once, also one that is refused.
    """
    paid = 0
    try:
        text, trusted = find(request)
        known = executor.documents.known(text) is not None
        if not known:
            # The check of a document takes longer than most operations, and has to be paid for even if it fails.
            paid = 1 if trusted else max(1, math.ceil(len(text) / CHECKED_BYTES))
            await charge(paid)
        prepared = await executor.prepare_in_turn(text, request.variables, request.operation_name, trusted=trusted)
    except RequestRefusedError:
        if not paid:
            await charge(1)
        raise
    return ChargedOperation(prepared, known, max(0, math.ceil(prepared.cost / COST_UNIT) - paid))
