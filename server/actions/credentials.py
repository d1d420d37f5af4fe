"""Check passwords and codes: tries are charged before anything is computed, whatever they are for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from server.identity.errors import WrongCredentialsError, WrongPasswordError
from server.identity.login_keys import login_key
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import Charge, address_subject, site_subject
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses, users
from storage.stores.accounts.users import Credentials

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
        candidates = await self._candidates(login)
        # The limit belongs to the account that was found. The database finds it by several spellings ("ANN", letters
        # that its locale folds), and each would otherwise have tries of its own. Those of an address count for the
        # address: two names that use up one limit would disclose that they belong together.
        (first, *others) = candidates
        charge = await self._charge(
            f"login:{login_key(login)}" if first is None or others else _tries_of(first.user.id), address
        )
        right = None
        for found in candidates:
            # A password is verified even where there is no account, so that the response takes the same time.
            if await self._passwords.verify(found.password_hash if found else None, password) and right is None:
                right = found
        if right is None:
            raise WrongCredentialsError(charge)
        # Only now is the password known, so a hash with other parameters can be replaced.
        outdated = self._passwords.is_outdated(right.password_hash)
        return VerifiedCredentials(right, await self._passwords.hash(password) if outdated else None, charge)

    async def confirm(self, user_id: int, password: str, *, address: str) -> str:
        """Return the password hash of a signed-in user; raise `WrongPasswordError` and `RateLimitedError`."""
        # A thief of a session has no more tries at the password than anyone who signs in.
        charge = await self._charge(_tries_of(user_id), address)
        encoded = await users.password_hash(self._db, user_id)
        if encoded is None or not await self._passwords.verify(encoded, password):
            raise WrongPasswordError(charge)
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

    async def _candidates(self, login: str) -> Sequence[Credentials | None]:
        """Return the accounts that a login may mean: always two for an address, and one for a username.

        An address may be claimed by one account and be pending for another. Which of them exist must not show in the
        response, so a new account signs in by its address whether or not another has claimed it.
        """
        if "@" not in login:
            return [await users.credentials(self._db, login) if login.isprintable() else None]
        if not login.isprintable():
            return [None, None]
        found = await email_addresses.holders(self._db, login)
        return [None if each is None else await users.credentials_of(self._db, each) for each in found]

    async def _charge(self, account: str, address: str) -> Charge:
        # It is counted for each address, so that an attacker cannot lock the owner out. Of an IPv6 address the /48
        # counts: each of its 65,536 networks would otherwise have tries of its own. The password is verified after
        # that, because it is the expensive part.
        subject = f"{account} {site_subject(address) or address_subject(address)}"
        return await self._limiter.check_address(_ADDRESS_QUOTA, address, (_ACCOUNT_QUOTA, subject))


def _tries_of(user_id: int) -> str:
    """Return the subject to which tries at an account's credentials are charged."""
    return f"user:{user_id}"
