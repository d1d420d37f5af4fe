"""A position that a client carries from its writes to its reads, wherever these arrive.

A process of another region, or one without Redis, does not see the positions that are kept in Redis. What a client
carries concerns its own reads only, so it needs no signature: a forged position makes them go to the primary, or lets
them miss the client's own writes.
"""

from __future__ import annotations

from contextvars import ContextVar

from storage.postgres.wal_position import WalPosition


class CarriedPosition:
    """What the request in the present context has `given`, and what its response is to carry, as `written`."""

    __slots__ = ("given", "written")

    def __init__(self, given: WalPosition | None = None) -> None:
        self.given = given
        self.written: WalPosition | None = None


CARRIED: ContextVar[CarriedPosition | None] = ContextVar("carried_position", default=None)
