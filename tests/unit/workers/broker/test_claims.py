"""Connections that claim rows, over scripted ones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import pytest

from storage.errors import UnavailableError
from storage.postgres.database import Database
from workers.broker.claims import ClaimConnection
from workers.broker.outcomes import JobStatus, Outcome


class Session:
    """A connection that records its statements."""

    def __init__(self, *, closed: bool, in_transaction: bool) -> None:
        self.closed = closed
        self.in_transaction = in_transaction
        self.statements: list[str] = []

    def is_closed(self) -> bool:
        """Return whether the connection has ended."""
        return self.closed

    def is_in_transaction(self) -> bool:
        """Return whether a row is claimed."""
        return self.in_transaction

    async def execute(self, statement: str) -> None:
        """Record a statement."""
        self.statements.append(statement)


class Lost:
    """A database whose connections end with their first statement; `open` of them are lent."""

    open = 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection."""
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1

    async def execute(self, *_: object) -> None:
        """End the connection."""
        raise ConnectionResetError("lost")


async def test_a_connection_that_is_lost_at_once_is_an_outage() -> None:
    """It is reported as one, which the consumer waits out, and the connection is returned."""
    database = Lost()
    with pytest.raises(UnavailableError):
        await ClaimConnection.open(cast(Database, database))
    assert database.open == 0


async def test_a_claim_is_finished_once() -> None:
    """To finish a message that is not claimed is a defect, and changes no row."""
    with pytest.raises(RuntimeError, match="no row"):
        await ClaimConnection(Lost(), AsyncExitStack()).finish(Outcome(status=JobStatus.DONE))


@pytest.mark.parametrize(
    ("closed", "in_transaction", "statements"),
    [(False, True, ["ROLLBACK"]), (False, False, []), (True, True, [])],
    ids=["claimed", "idle", "ended"],
)
async def test_a_claim_is_released_with_its_connection(
    closed: bool, in_transaction: bool, statements: list[str]
) -> None:
    """The pool gets a connection without a transaction, and nothing is sent over one that has ended."""
    session = Session(closed=closed, in_transaction=in_transaction)
    returned: list[list[str]] = []
    async with AsyncExitStack() as stack:
        stack.callback(lambda: returned.append([*session.statements]))
        await ClaimConnection(session, stack.pop_all()).close()
    assert returned == [statements]
