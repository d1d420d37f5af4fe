"""Sign up, sign in, change and delete an account."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Unpack

from server.actions.live_permissions import at_once
from server.actions.sessions import SessionService, TokenPair
from server.identity.errors import (
    AccountSuspendedError,
    DeletionPendingError,
    WrongCredentialsError,
    WrongPasswordError,
)
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import Charge, address_subject, site_subject
from storage import texts
from storage.errors import ConflictError, NotFoundError
from storage.models import PresenceAudience, User
from storage.postgres.database import Database, Transaction
from storage.stores import account_deletion, account_fields, users
from storage.stores.account_fields import AccountFields
from storage.stores.users import Credentials
from workers.jobs.account_visibility import AccountVisibility
from workers.jobs.permissions import LivePermissions

UPDATE_QUOTA = "writes"
_SIGN_UP_QUOTA = "sign_up_address"
_SIGN_IN_ACCOUNT_QUOTA = "sign_in_account"
_SIGN_IN_ADDRESS_QUOTA = "sign_in_address"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSession:
    """A session that was opened for a user, and the rate limit that it was charged to."""

    user: User
    tokens: TokenPair
    charge: Charge


class _Verified(NamedTuple):
    """Credentials that are right, a password hash with other parameters if one is due, and what the try cost."""

    found: Credentials
    renewed: str | None
    charge: Charge


class AccountActions:
    """Actions on accounts; `address` is always the client's network address.

    `deletion_grace` is the time in which users can undo the deletion of their account; without it none can be undone.
    """

    def __init__(
        self,
        db: Database,
        passwords: Passwords,
        limiter: RateLimiter,
        sessions: SessionService,
        permissions: LivePermissions,
        *,
        visibility: AccountVisibility,
        deletion_grace: timedelta,
    ) -> None:
        self._visibility = visibility
        self._db = db
        self.deletion_grace = deletion_grace
        self._permissions = permissions
        self._passwords = passwords
        self._limiter = limiter
        self._sessions = sessions

    async def sign_up(self, *, username: str, email: str, password: str, display_name: str, address: str) -> NewSession:
        """Create an account and open a session; an empty `display_name` becomes the username.

        Raises `RateLimitedError`, and `ConflictError` username_taken or email_taken.
        """
        # Charged before the password is hashed, which is the expensive part.
        charge = await self._limiter.check_address(_SIGN_UP_QUOTA, address)
        password_hash = await self._passwords.hash(password)
        async with self._db.transaction() as tx:
            user = await users.create(
                tx,
                username=username,
                email=email,
                password_hash=password_hash,
                display_name=display_name or username,
            )
            tokens = await self._sessions.open(tx, user)
        return NewSession(user=user, tokens=tokens, charge=charge)

    async def sign_up_as(
        self,
        claim: Callable[[Transaction, User], Awaitable[object]],
        *,
        username: str,
        email: str,
        display_name: str,
        address: str,
    ) -> NewSession:
        """Create an account without a password and open a session; `claim` makes it the account of an identity.

        Raises what `sign_up` and `claim` raise.
        """
        charge = await self._limiter.check_address(_SIGN_UP_QUOTA, address)
        async with self._db.transaction() as tx:
            user = await users.create(
                tx, username=username, email=email, password_hash="", display_name=display_name or username
            )
            await claim(tx, user)
            tokens = await self._sessions.open(tx, user)
        return NewSession(user=user, tokens=tokens, charge=charge)

    async def sign_in(self, login: str, password: str, *, address: str) -> NewSession:
        """Open a session by username or e-mail address and password.

        Raises `RateLimitedError`, and the same `WrongCredentialsError` for an unknown name and for a wrong password.
        An account that is deleted while the password is verified is unknown. Only for the right password it raises
        `DeletionPendingError` for one whose deletion can be undone (`restore`), and `AccountSuspendedError`.
        """
        verified = await self._verify(login, password, address=address)
        if verified.found.deletion_due_at is not None:
            raise DeletionPendingError(verified.charge, verified.found.deletion_due_at)
        return await self._open(verified)

    async def sign_in_as(self, user_id: int, *, address: str, restore: bool = False) -> NewSession:
        """Open a session of an account whose user has been identified otherwise than by its password.

        With `restore` its deletion is undone, if it is deleted. Raises what `sign_in` raises.
        """
        charge = await self._limiter.check_address(_SIGN_IN_ADDRESS_QUOTA, address)
        found = await users.credentials_of(self._db, user_id)
        if found is None:
            raise WrongCredentialsError(charge)
        pending = found.deletion_due_at
        if pending is not None and not restore:
            raise DeletionPendingError(charge, pending)
        return await self._open(_Verified(found, None, charge), restore=pending is not None)

    async def restore(self, login: str, password: str, *, address: str) -> NewSession:
        """Undo the deletion of an account, and open a session.

        Raises what `sign_in` raises, but `ConflictError` deletion_not_pending for an account that is not deleted.
        """
        verified = await self._verify(login, password, address=address)
        if verified.found.deletion_due_at is None:
            raise ConflictError("deletion_not_pending", "This account is not deleted. Sign in.")
        return await self._open(verified, restore=True)

    async def _open(self, verified: _Verified, *, restore: bool = False) -> NewSession:
        """Open a session, in a transaction that also stores the new password hash and undoes the deletion."""
        (user, encoded, suspended, _), renewed, charge = verified
        if suspended:
            raise AccountSuspendedError(self._sessions.restricted_token(user))
        try:
            async with self._db.transaction() as tx:
                if restore:
                    user = await account_deletion.restore(tx, user.id)
                    tx.on_commit(lambda: at_once(self._visibility.align(user.id)))
                tokens = await self._sessions.open(tx, user)
                if renewed is not None:
                    await users.replace_password_hash(tx, user.id, encoded, renewed)
        except NotFoundError as error:
            raise WrongCredentialsError(charge) from error
        return NewSession(user=user, tokens=tokens, charge=charge)

    async def _verify(self, login: str, password: str, *, address: str) -> _Verified:
        """Return the credentials of an account; raise `RateLimitedError` and `WrongCredentialsError`."""
        # Of an IPv6 address the /48 counts: each of its 65,536 networks would otherwise have tries of its own.
        subject = site_subject(address) or address_subject(address)
        found = await users.credentials(self._db, login) if login.isprintable() else None
        # The limit belongs to the account that was found. The database finds it by several spellings ("ANN", its
        # e-mail address, letters that its locale folds), and each would otherwise have tries of its own.
        account = f"login:{texts.fold(login)}" if found is None else _tries_of(found.user.id)
        # It is counted for each address, so that an attacker cannot lock the owner out. The password is verified after
        # that, because it is the expensive part.
        charge = await self._limiter.check_address(
            _SIGN_IN_ADDRESS_QUOTA, address, (_SIGN_IN_ACCOUNT_QUOTA, f"{account} {subject}")
        )
        # It is verified even where the account is unknown, so that the response takes the same time.
        valid = await self._passwords.verify(found.password_hash if found else None, password)
        if found is None or not valid:
            raise WrongCredentialsError(charge)
        # Only now is the password known, so a hash with other parameters can be replaced.
        outdated = self._passwords.is_outdated(found.password_hash)
        return _Verified(found, await self._passwords.hash(password) if outdated else None, charge)

    async def update(self, viewer_id: int, **fields: Unpack[AccountFields]) -> User:
        """Change the fields that are not None and return the account.

        Raises `ConflictError` username_taken or too_many_renames.
        """
        async with self._db.transaction() as tx:
            private = fields.get("private")
            order = secrets.token_hex(8) if private else ""
            if private:
                tx.on_commit(lambda: at_once(self._permissions.account_closed(viewer_id, order)))
            if fields.get("presence") is PresenceAudience.NOBODY:
                tx.on_commit(lambda: at_once(self._permissions.presence_hidden(viewer_id)))
            return await account_fields.update(tx, viewer_id, order=order, **fields)

    async def delete(self, viewer_id: int, *, password: str | None = None, address: str = "") -> datetime | None:
        """Delete an account: it disappears for everyone at once, and its sessions end.

        Return until when that can be undone, None if it cannot. Workers remove what belongs to the account afterwards.
        A `password` that is given must be right; raises `WrongPasswordError` and `RateLimitedError`.
        """
        if password is not None:
            await self._confirm(viewer_id, password, address=address)
        async with self._db.transaction() as tx:
            due_at, ended = await self._delete(tx, viewer_id)
            tx.on_commit(lambda: at_once(self._visibility.align(viewer_id)))
        await self._sessions.revoke(viewer_id, ended)
        return due_at

    async def _delete(self, tx: Transaction, viewer_id: int) -> tuple[datetime | None, list[str]]:
        if self.deletion_grace:
            return await account_deletion.schedule(tx, viewer_id, grace=self.deletion_grace)
        return None, await users.remove(tx, viewer_id)

    async def _confirm(self, viewer_id: int, password: str, *, address: str) -> None:
        # A thief of a session has no more tries at the password than anyone who signs in.
        tries = f"{_tries_of(viewer_id)} {site_subject(address) or address_subject(address)}"
        charge = await self._limiter.check_address(_SIGN_IN_ADDRESS_QUOTA, address, (_SIGN_IN_ACCOUNT_QUOTA, tries))
        if not await self._passwords.verify(await users.password_hash(self._db, viewer_id), password):
            raise WrongPasswordError(charge)


def _tries_of(user_id: int) -> str:
    """Return the subject to which tries at an account's password are charged."""
    return f"user:{user_id}"
