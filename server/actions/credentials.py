"""Check passwords and codes: tries are charged before anything is computed, whatever they are for."""

from __future__ import annotations

from typing import NamedTuple

from server.identity.errors import WrongCredentialsError, WrongPasswordError
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import Charge, address_subject, site_subject
from storage import texts
from storage.postgres.database import Database
from storage.stores import users
from storage.stores.users import Credentials

_ACCOUNT_QUOTA = "sign_in_account"
_ADDRESS_QUOTA = "sign_in_address"
_CODES_QUOTA = "second_factor"


class VerifiedCredentials(NamedTuple):
    """Credentials that are right, a password hash with other parameters if one is due, and what the try cost."""

    found: Credentials
    renewed: str | None
    charge: Charge


class CredentialChecks:
    """Checks of passwords, and charges of tries at them and at codes; `address` is the client's network address."""

    def __init__(self, db: Database, passwords: Passwords, limiter: RateLimiter) -> None:
        self._db = db
        self._passwords = passwords
        self._limiter = limiter

    async def verify(self, login: str, password: str, *, address: str) -> VerifiedCredentials:
        """Return the credentials of an account; raise `RateLimitedError` and `WrongCredentialsError`."""
        found = await users.credentials(self._db, login) if login.isprintable() else None
        # The limit belongs to the account that was found. The database finds it by several spellings ("ANN", its
        # e-mail address, letters that its locale folds), and each would otherwise have tries of its own.
        account = f"login:{texts.fold(login)}" if found is None else _tries_of(found.user.id)
        charge = await self._charge(account, address)
        # It is verified even where the account is unknown, so that the response takes the same time.
        valid = await self._passwords.verify(found.password_hash if found else None, password)
        if found is None or not valid:
            raise WrongCredentialsError(charge)
        # Only now is the password known, so a hash with other parameters can be replaced.
        outdated = self._passwords.is_outdated(found.password_hash)
        return VerifiedCredentials(found, await self._passwords.hash(password) if outdated else None, charge)

    async def confirm(self, user_id: int, password: str, *, address: str) -> str:
        """Return the password hash of a signed-in user; raise `WrongPasswordError` and `RateLimitedError`."""
        # A thief of a session has no more tries at the password than anyone who signs in.
        charge = await self._charge(_tries_of(user_id), address)
        encoded = await users.password_hash(self._db, user_id)
        if not await self._passwords.verify(encoded, password):
            raise WrongPasswordError(charge)
        assert encoded is not None  # noqa: S101 - no password is right without one
        return encoded

    async def charge_code(self, user_id: int, *, address: str) -> Charge:
        """Charge a try at a code of an account; raise `RateLimitedError`.

        It counts for the account wherever it comes from: a code has six digits, so a thief of the password with many
        addresses would otherwise find one.
        """
        return await self._limiter.check_address(_ADDRESS_QUOTA, address, (_CODES_QUOTA, _tries_of(user_id)))

    async def charge_address(self, address: str) -> Charge:
        """Charge a try that names no account; raise `RateLimitedError`."""
        return await self._limiter.check_address(_ADDRESS_QUOTA, address)

    async def _charge(self, account: str, address: str) -> Charge:
        # It is counted for each address, so that an attacker cannot lock the owner out. Of an IPv6 address the /48
        # counts: each of its 65,536 networks would otherwise have tries of its own. The password is verified after
        # that, because it is the expensive part.
        subject = f"{account} {site_subject(address) or address_subject(address)}"
        return await self._limiter.check_address(_ADDRESS_QUOTA, address, (_ACCOUNT_QUOTA, subject))


def _tries_of(user_id: int) -> str:
    """Return the subject to which tries at an account's credentials are charged."""
    return f"user:{user_id}"
