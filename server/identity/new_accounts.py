"""Lower limits for new accounts, which most abuse comes from."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from server.identity.errors import NewAccountLimitedError, RateLimitedError
from server.identity.rate_limiter import RateLimiter
from storage import ids

UPLOADS, COMMENTS, FOLLOWS = "new_uploads", "new_comments", "new_follows"


class NewAccountRule(Protocol):
    """Which accounts are new."""

    def may_be_new(self, age: timedelta) -> bool:
        """Return whether an account of this age can be new."""
        ...

    def is_new(self, age: timedelta, photos: int) -> bool:
        """Return whether an account of this age, with so many ready photos, is new."""
        ...


class NewAccountLimiter:
    """Charge new accounts for uploads, comments and follows, in addition to the limits of all accounts.

    `photos_of` returns the number of ready photos of an account. It is asked only for those that are young enough.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        rule: NewAccountRule,
        photos_of: Callable[[int], Awaitable[int]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limiter = limiter
        self._rule = rule
        self._photos_of = photos_of
        self._clock = clock

    async def charge(self, name: str, user_id: int) -> None:
        """Charge an account if it is new; raise `NewAccountLimitedError` when the limit is used up."""
        # The time of the registration is in the id.
        age = timedelta(seconds=self._clock() - ids.milliseconds_of(user_id) / 1000)
        if not self._rule.may_be_new(age) or not self._rule.is_new(age, await self._photos_of(user_id)):
            return
        try:
            await self._limiter.charge_user(name, user_id, 1)
        except RateLimitedError as error:
            raise NewAccountLimitedError(error.charge) from error
