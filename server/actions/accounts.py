"""Sign up, sign in, change and delete an account."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Unpack

from server.actions.credentials import CredentialChecks, VerifiedCredentials
from server.actions.live_permissions import at_once
from server.actions.sessions import SessionService, TokenPair
from server.identity.errors import (
    AccountSuspendedError,
    DeletionPendingError,
    WrongCredentialsError,
)
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import Charge
from storage.errors import ConflictError, NotFoundError
from storage.mails import MailKind
from storage.models import PresenceAudience, User
from storage.postgres.database import Database, Transaction
from storage.stores import account_deletion, account_fields, mails, users
from storage.stores.account_fields import AccountFields
from workers.jobs.account_visibility import AccountVisibility
from workers.jobs.permissions import LivePermissions

UPDATE_QUOTA = "writes"
_SIGN_UP_QUOTA = "sign_up_address"


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSession:
    """A session that was opened for a user, and the rate limit that it was charged to."""

    user: User
    tokens: TokenPair
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
        checks: CredentialChecks,
        visibility: AccountVisibility,
        deletion_grace: timedelta,
    ) -> None:
        self._checks = checks
        self._visibility = visibility
        self._db = db
        self.deletion_grace = deletion_grace
        self._permissions = permissions
        self._passwords = passwords
        self._limiter = limiter
        self._sessions = sessions

    async def sign_up(self, *, username: str, email: str, password: str, display_name: str, address: str) -> NewSession:
        """Create an account and open a session; an empty `display_name` becomes the username.

        The response does not disclose whether another account has the address: that is said in a mail to it. Raises
        `RateLimitedError`, and `ConflictError` username_taken.
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
                pending=True,
            )
            mails.request(tx, user.id, MailKind.VERIFY_EMAIL)
            tokens = await self._sessions.open(tx, user)
        return NewSession(user=user, tokens=tokens, charge=charge)

    async def sign_in(self, login: str, password: str, *, address: str) -> NewSession:
        """Open a session by username or e-mail address and password.

        Raises `RateLimitedError`, and the same `WrongCredentialsError` for an unknown name and for a wrong password.
        An account that is deleted while the password is verified is unknown. Only for the right password it raises
        `DeletionPendingError` for one whose deletion can be undone (`restore`), and `AccountSuspendedError`.
        """
        verified = await self._checks.verify(login, password, address=address)
        if verified.found.deletion_due_at is not None:
            raise DeletionPendingError(verified.charge, verified.found.deletion_due_at)
        return await self._open(verified)

    async def restore(self, login: str, password: str, *, address: str) -> NewSession:
        """Undo the deletion of an account, and open a session.

        Raises what `sign_in` raises, but `ConflictError` deletion_not_pending for an account that is not deleted.
        """
        verified = await self._checks.verify(login, password, address=address)
        if verified.found.deletion_due_at is None:
            raise ConflictError("deletion_not_pending", "This account is not deleted. Sign in.")
        return await self._open(verified, restore=True)

    async def _open(self, verified: VerifiedCredentials, *, restore: bool = False) -> NewSession:
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
            await self._checks.confirm(viewer_id, password, address=address)
        async with self._db.transaction() as tx:
            due_at, ended = await self._delete(tx, viewer_id)
            tx.on_commit(lambda: at_once(self._visibility.align(viewer_id)))
        await self._sessions.revoke(viewer_id, ended)
        return due_at

    async def _delete(self, tx: Transaction, viewer_id: int) -> tuple[datetime | None, list[str]]:
        if self.deletion_grace:
            return await account_deletion.schedule(tx, viewer_id, grace=self.deletion_grace)
        return None, await users.remove(tx, viewer_id)
