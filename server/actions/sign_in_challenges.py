"""Sign-ins that wait for a code: each can be tried a few times within minutes, and finished once."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable
from typing import Protocol

from server.identity.challenges import TTL, Challenge, Challenges
from server.identity.errors import ChallengeError
from storage.stores.accounts.users import Credentials

MAX_TRIES = 5
_TRIES = "sign-in-tries"
_USED = "sign-in"


class OneTimeNames(Protocol):
    """Names that can be used once, and tries that are counted, as `storage.limits.one_time.OneTimeValues`."""

    def use(self, kind: str, name: bytes, *, ttl: int) -> Awaitable[bool]:
        """Use a name up for `ttl` seconds; return False if it was used before."""
        ...

    def is_used(self, kind: str, name: bytes) -> Awaitable[bool]:
        """Return whether a name was used up."""
        ...

    def count(self, kind: str, name: bytes, *, ttl: int) -> Awaitable[int]:
        """Count a try at a name, and return the number of tries."""
        ...


class SignInChallenges:
    """Challenges of sign-ins; `names` keeps which were used, and how often each was tried."""

    def __init__(self, challenges: Challenges, names: OneTimeNames) -> None:
        self._challenges = challenges
        self._names = names

    def mint(self, found: Credentials, *, restore: bool = False) -> str:
        """Return a challenge for a user whose password was right."""
        return self._challenges.mint(found.user.id, found.password_hash, restore=restore)

    async def open(self, text: str) -> Challenge:
        """Return a challenge that can still be answered, and count the try; raise `ChallengeError`."""
        challenge = self._challenges.verify(text)
        name = challenge.nonce.encode()
        if await self._names.is_used(_USED, name) or await self._names.count(_TRIES, name, ttl=TTL) > MAX_TRIES:
            raise ChallengeError
        return challenge

    def fits(self, challenge: Challenge, password_hash: str) -> bool:
        """Return whether the account still has the password that the challenge was made for."""
        return hmac.compare_digest(challenge.credential, self._challenges.credential(password_hash))

    async def close(self, challenge: Challenge) -> None:
        """Use a challenge up; raise `ChallengeError` if another request was faster."""
        if not await self._names.use(_USED, challenge.nonce.encode(), ttl=TTL):
            raise ChallengeError
