"""Sign up, change and delete an account."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Unpack

from server.actions.credentials import CredentialChecks
from server.actions.live_permissions import at_once
from server.actions.reauthentication import Reauthentication
from server.actions.sessions import NewSession, SessionService
from server.identity.clients import Client
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from storage.mails import MailKind
from storage.models import PresenceAudience, User
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import account_deletion, account_fields, email_addresses, users
from storage.stores.accounts.account_fields import AccountFields
from storage.stores.notifications import mails
from workers.jobs.feeds.account_visibility import AccountVisibility
from workers.jobs.live.permissions import LivePermissions

UPDATE_QUOTA = "writes"
_SIGN_UP_QUOTA = "sign_up_address"


class AccountActions:
    """Actions on accounts.

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
        reauthentication: Reauthentication,
        checks: CredentialChecks,
        visibility: AccountVisibility,
        deletion_grace: timedelta,
    ) -> None:
        self._checks = checks
        self._visibility = visibility
        self._reauthentication = reauthentication
        self._db = db
        self.deletion_grace = deletion_grace
        self._permissions = permissions
        self._passwords = passwords
        self._limiter = limiter
        self._sessions = sessions

    async def sign_up(
        self, *, username: str, email: str, password: str, display_name: str, client: Client
    ) -> NewSession:
        """Create an account and open a session; an empty `display_name` becomes the username.

        The response does not disclose whether another account has the address: that is said in a mail to it. Raises
        `RateLimitedError`, and `ConflictError` username_taken.
        """
        # Charged before the password is hashed, which is the expensive part.
        charge = await self._limiter.check_address(_SIGN_UP_QUOTA, client.address)
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
            tokens = await self._sessions.open(tx, user, client=client)
        return NewSession(user=user, tokens=tokens, charge=charge)

    async def sign_up_as(
        self,
        claim: Callable[[Transaction, User], Awaitable[object]],
        *,
        username: str,
        email: str,
        verified: bool,
        display_name: str,
        client: Client,
    ) -> NewSession:
        """Create an account without a password and open a session; `claim` makes it the account of an identity.

        The address is claimed if it is `verified` and no other account has claimed it. Raises what `sign_up` and
        `claim` raise.
        """
        charge = await self._limiter.check_address(_SIGN_UP_QUOTA, client.address)
        async with self._db.transaction() as tx:
            user = await users.create(
                tx,
                username=username,
                email=email,
                password_hash="",
                display_name=display_name or username,
                pending=True,
            )
            await claim(tx, user)
            if not (verified and await email_addresses.verify(tx, email, user.id)):
                mails.request(tx, user.id, MailKind.VERIFY_EMAIL)
            tokens = await self._sessions.open(tx, user, client=client)
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

    async def delete(
        self, viewer_id: int, session: str, *, password: str | None = None, client: Client
    ) -> datetime | None:
        """Delete an account: it disappears for everyone at once, and its sessions end.

        Return until when that can be undone, None if it cannot. Workers remove what belongs to the account afterwards.
        Raises `WrongPasswordError` and `RateLimitedError` with a password, and `ReauthenticationRequiredError` without
        one.
        """
        if password is None:
            await self._reauthentication.require(viewer_id, session)
        else:
            await self._checks.confirm(viewer_id, password, address=client.address)
        async with self._db.transaction() as tx:
            due_at, ended = await self._delete(tx, viewer_id)
            tx.on_commit(lambda: at_once(self._visibility.align(viewer_id)))
        await self._sessions.revoke(viewer_id, ended)
        return due_at

    async def _delete(self, tx: Transaction, viewer_id: int) -> tuple[datetime | None, list[str]]:
        if self.deletion_grace:
            return await account_deletion.schedule(tx, viewer_id, grace=self.deletion_grace)
        return None, await users.remove(tx, viewer_id)
