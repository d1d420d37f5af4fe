"""The second factor of an account: set up one-time codes, check them and recovery codes, and remove the factor."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from server.actions import security_notices
from server.actions.credentials import CredentialChecks
from server.identity import recovery_codes, totp
from server.identity.clients import Client
from server.identity.errors import WrongCodeError
from server.identity.rate_limits import Charge
from server.identity.secret_box import SecretBox, UnreadableError
from storage import ids
from storage.errors import ConflictError
from storage.notifications import SecurityEvent
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import users
from storage.stores.credentials import second_factors
from storage.stores.credentials.second_factors import Totp

QUOTA = "writes"
ISSUER = "PicShare"

log = structlog.get_logger(__name__)


class FactorState(NamedTuple):
    """Whether sign-ins ask for a code, and how many recovery codes are left."""

    factor: Totp | None
    recovery_codes: int


class NewFactor(NamedTuple):
    """The secret of a factor that is being set up, as text and as the URI for authenticator applications."""

    secret: str
    uri: str


class SecondFactor:
    """One-time codes and recovery codes of accounts; `box` encrypts the secrets that the database keeps."""

    def __init__(
        self, db: Database, checks: CredentialChecks, box: SecretBox, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._db = db
        self._checks = checks
        self._box = box
        self._clock = clock

    async def state(self, user_id: int) -> FactorState:
        """Return the state of an account's factor."""
        factor = await second_factors.totp_of(self._db, user_id)
        if factor is None or factor.confirmed_at is None:
            return FactorState(None, 0)
        return FactorState(factor, await second_factors.recovery_codes_left(self._db, user_id))

    async def begin(self, user_id: int) -> NewFactor:
        """Begin to set up a factor; raise `ConflictError` second_factor_exists."""
        secret = totp.new_secret()
        async with self._db.transaction() as tx:
            user = await users.get(tx, user_id)
            if not await second_factors.begin(tx, user_id, self._box.encrypt(secret, owner_id=user_id)):
                raise ConflictError("second_factor_exists", "Two-factor sign-in is on already.")
        uri = totp.provisioning_uri(secret, account=user.username, issuer=ISSUER)
        return NewFactor(totp.as_text(secret), uri)

    async def confirm(self, user_id: int, code: str, *, client: Client) -> list[str]:
        """Turn the factor on by its first code, and return the recovery codes.

        Raises `WrongCodeError`, `RateLimitedError`, and `ConflictError` second_factor_exists, or
        second_factor_not_begun without a secret.
        """
        charge = await self._checks.charge_code(user_id, address=client.address)
        codes = recovery_codes.new_codes()
        async with self._db.transaction() as tx:
            factor = await second_factors.totp_of(tx, user_id)
            if factor is None:
                raise ConflictError("second_factor_not_begun", "Begin to set up two-factor sign-in first.")
            if factor.confirmed_at is not None:
                raise ConflictError("second_factor_exists", "Two-factor sign-in is on already.")
            if not await self._use_step(tx, user_id, factor, code):
                raise WrongCodeError(charge)
            await second_factors.confirm(tx, user_id)
            await _replace_codes(tx, user_id, codes)
            security_notices.record(tx, user_id, SecurityEvent.FACTOR_ADDED, device=client.name)
        return codes

    async def remove(self, user_id: int, *, client: Client) -> bool:
        """Turn the factor off, and delete the recovery codes; return whether it was on."""
        async with self._db.transaction() as tx:
            return await remove_in(tx, user_id, device=client.name)

    async def renew_recovery_codes(self, user_id: int) -> list[str]:
        """Replace the recovery codes, and return the new ones; raise `ConflictError` second_factor_off."""
        codes = recovery_codes.new_codes()
        async with self._db.transaction() as tx:
            await _replace_codes(tx, user_id, codes)
        return codes

    async def use(self, user_id: int, code: str, *, client: Client) -> Charge:
        """Use up a one-time code or a recovery code, and return what the try cost.

        Raises `WrongCodeError`, also for a code that was used before, and `RateLimitedError`.
        """
        charge = await self._checks.charge_code(user_id, address=client.address)
        async with self._db.transaction() as tx:
            if not await self._use(tx, user_id, code):
                raise WrongCodeError(charge)
        return charge

    async def _use(self, tx: Transaction, user_id: int, code: str) -> bool:
        digest = recovery_codes.digest_of(code)
        if digest is not None:
            return await second_factors.use_recovery_code(tx, user_id, digest)
        factor = await second_factors.totp_of(tx, user_id)
        return (
            factor is not None and factor.confirmed_at is not None and await self._use_step(tx, user_id, factor, code)
        )

    async def _use_step(self, tx: Transaction, user_id: int, factor: Totp, code: str) -> bool:
        try:
            secret = self._box.decrypt(factor.secret, owner_id=user_id)
        except UnreadableError:
            # The operator has replaced the installation's secret: recovery codes still work.
            log.warning("second_factor_unreadable", user=ids.encode(user_id))
            return False
        step = totp.matching_step(secret, "".join(code.split()), now=self._clock())
        return step is not None and await second_factors.use_step(tx, user_id, step, secret=factor.secret)


async def remove_in(tx: Transaction, user_id: int, *, device: str = "") -> bool:
    """Turn the factor of an account off within a transaction; return whether it was on.

    `device` is the client that did it; without one it was an operator.
    """
    removed = await second_factors.remove(tx, user_id)
    if removed:
        security_notices.record(tx, user_id, SecurityEvent.FACTOR_REMOVED, device=device)
    return removed


async def _replace_codes(tx: Transaction, user_id: int, codes: list[str]) -> None:
    digests = [digest for code in codes if (digest := recovery_codes.digest_of(code)) is not None]
    if not await second_factors.replace_recovery_codes(tx, user_id, digests):
        raise ConflictError("second_factor_off", "Two-factor sign-in is off.")
