"""What an operation is still to be charged: a resolver that uses Redis may charge it in its own round trip."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from server.identity.errors import RateLimitedError, SessionRevokedError


async def _nothing(units: int) -> None:
    raise RuntimeError(f"{units} units are due, but nothing charges them")


class Due:
    """The units that are due; `refusal` is the error of the operation once a charge was refused."""

    def __init__(self, units: int = 0, charge: Callable[[int], Awaitable[None]] = _nothing) -> None:
        self.refusal: Exception | None = None
        self._units = units
        self._charge = charge

    @contextmanager
    def taken(self) -> Iterator[int]:
        """Return the units to the caller, which charges them; its refusal is that of the operation."""
        units, self._units = self._units, 0
        try:
            yield units
        except (RateLimitedError, SessionRevokedError) as error:
            self.refusal = error
            raise

    async def settle(self) -> None:
        """Charge the units that no resolver has taken; raise as the charge does."""
        with self.taken() as units:
            if units:
                await self._charge(units)
