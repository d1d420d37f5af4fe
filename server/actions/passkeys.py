"""Passkeys: register, rename and delete them, and verify the answers of authenticators.

A challenge is kept in Redis for the time in which an authenticator may answer, and taken by the first answer, right or
wrong.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable
from typing import Any, NamedTuple, Protocol

from server.actions import security_notices
from server.identity.clients import Client
from server.identity.errors import PasskeyError
from server.identity.relying_party import TIMEOUT, RelyingParty
from storage import ids
from storage.errors import ConflictError
from storage.notifications import SecurityEvent
from storage.postgres.database import Database
from storage.stores.accounts import users
from storage.stores.credentials import passkeys
from storage.stores.credentials.passkeys import Passkey

QUOTA = "writes"
_KIND = "passkey"
_SIGN_IN = "sign-in"
_CHALLENGE_BYTES = 32
_EXPIRED = "This took too long, or was used before. Try again."


class ChallengeStore(Protocol):
    """Values that can be taken once, as `storage.limits.one_time.OneTimeValues`."""

    def keep(self, kind: str, name: bytes, value: str, *, ttl: int) -> Awaitable[None]:
        """Keep a value for `ttl` seconds, until it is taken."""
        ...

    def take(self, kind: str, name: bytes) -> Awaitable[str | None]:
        """Return a value that was kept, once; None if it is unknown, expired or taken."""
        ...


class VerifiedPasskey(NamedTuple):
    """The owner of a passkey that was used, and whether the authenticator has verified its user."""

    user_id: int
    user_verified: bool


class PasskeyActions:
    """Passkeys of accounts; all methods on one raise `NotFoundError("passkey")` for that of another user."""

    def __init__(self, db: Database, challenges: ChallengeStore, relying_party: RelyingParty) -> None:
        self._db = db
        self._challenges = challenges
        self._relying_party = relying_party

    async def list_(self, user_id: int) -> list[Passkey]:
        """Return the passkeys of a user."""
        return await passkeys.of_user(self._db, user_id)

    async def begin(self, user_id: int) -> dict[str, Any]:
        """Return the options with which the browser makes a passkey; raise `ConflictError` passkeys_unavailable."""
        self._require_domain()
        user, present = await users.get(self._db, user_id), await passkeys.of_user(self._db, user_id)
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        await self._challenges.keep(_KIND, challenge, ids.encode(user_id), ttl=TIMEOUT)
        return self._relying_party.creation_options(
            challenge,
            user_id=user_id,
            username=user.username,
            display_name=user.display_name,
            present=[each.credential_id for each in present],
        )

    async def add(self, user_id: int, credential: dict[str, Any], *, name: str, client: Client) -> Passkey:
        """Add a passkey that the browser has made.

        Raises `PasskeyError`, and `ConflictError` passkey_exists or too_many_passkeys.
        """
        challenge = self._relying_party.challenge_of_registration(credential)
        # A challenge that another user was given proves nothing about this one.
        if await self._challenges.take(_KIND, challenge) != ids.encode(user_id):
            raise PasskeyError(_EXPIRED)
        new = self._relying_party.register(credential, challenge)
        async with self._db.transaction() as tx:
            added = await passkeys.add(
                tx,
                user_id,
                credential_id=new.credential_id,
                public_key=new.public_key,
                sign_count=new.sign_count,
                transports=new.transports,
                name=name,
            )
            security_notices.record(tx, user_id, SecurityEvent.PASSKEY_ADDED, device=client.name)
        return added

    async def rename(self, user_id: int, passkey_id: int, name: str) -> Passkey:
        """Rename a passkey."""
        async with self._db.transaction() as tx:
            return await passkeys.rename(tx, user_id, passkey_id, name)

    async def delete(self, user_id: int, passkey_id: int) -> None:
        """Delete a passkey: it cannot be used to sign in any more."""
        async with self._db.transaction() as tx:
            await passkeys.delete(tx, user_id, passkey_id)

    async def begin_sign_in(self) -> dict[str, Any]:
        """Return the options of a sign-in by any passkey; raise `ConflictError` passkeys_unavailable."""
        self._require_domain()
        challenge = secrets.token_bytes(_CHALLENGE_BYTES)
        await self._challenges.keep(_KIND, challenge, _SIGN_IN, ttl=TIMEOUT)
        return self._relying_party.request_options(challenge)

    async def verify(self, credential: dict[str, Any]) -> VerifiedPasskey:
        """Verify an answer to the challenge of `begin_sign_in`, and record the use; raise `PasskeyError`."""
        claimed = self._relying_party.assertion(credential)
        if await self._challenges.take(_KIND, claimed.challenge) != _SIGN_IN:
            raise PasskeyError(_EXPIRED)
        found = await passkeys.by_credential(self._db, claimed.user_id, claimed.credential_id)
        if found is None:
            raise PasskeyError("This passkey is not known here any more.")
        verified = self._relying_party.verify(
            credential, claimed.challenge, public_key=found.public_key, sign_count=found.sign_count
        )
        async with self._db.transaction() as tx:
            counted = await passkeys.used(
                tx, claimed.user_id, found.id, before=found.sign_count, now=verified.sign_count
            )
        if not counted:
            raise PasskeyError(_EXPIRED)
        return VerifiedPasskey(claimed.user_id, verified.user_verified)

    def _require_domain(self) -> None:
        if not self._relying_party.available:
            raise ConflictError(
                "passkeys_unavailable", "Passkeys need a domain: the address of this service has none but numbers."
            )
