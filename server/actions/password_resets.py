"""Reset a forgotten password by a link in a mail to the account's address."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from server.actions import links
from server.actions.sessions import SessionService
from server.identity.errors import LinkInvalidError
from server.identity.login_keys import login_key
from server.identity.passwords import Passwords
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import Charge, address_subject, site_subject
from storage.mail_events import PasswordResetRequested
from storage.mails import MailKind, TokenPurpose
from storage.notifications import SecurityEvent
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses, users
from storage.stores.credentials import one_time_tokens, sessions
from storage.stores.notifications import mails, security_notices

_ACCOUNT_QUOTA = "reset_account"
_ADDRESS_QUOTA = "reset_address"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResetTerms:
    """The account whose password a link resets, and until when its deletion can be undone, if it is deleted."""

    username: str
    deletion_due_at: datetime | None


class PasswordResetActions:
    """Requests for new passwords, and the links that are sent for them."""

    def __init__(self, db: Database, passwords: Passwords, limiter: RateLimiter, sessions: SessionService) -> None:
        self._db = db
        self._passwords = passwords
        self._limiter = limiter
        self._sessions = sessions

    async def request(self, email: str, *, address: str) -> Charge:
        """Have a link sent to an address, if there is an account with it; `address` is the client's network address.

        Whether there is one is found by a worker, so neither the response nor its time discloses it. Raises
        `RateLimitedError`.
        """
        subject = f"email:{login_key(email)} {site_subject(address) or address_subject(address)}"
        charge = await self._limiter.check_address(_ADDRESS_QUOTA, address, (_ACCOUNT_QUOTA, subject))
        async with self._db.transaction() as tx:
            tx.emit(PasswordResetRequested(address=email))
        return charge

    async def terms(self, token: str) -> ResetTerms:
        """Return whose password a link resets; raises what `reset` raises."""
        found = await links.read(self._db, TokenPurpose.PASSWORD_RESET, token)
        recipient = await email_addresses.recipient(self._db, found.user_id)
        if recipient is None:
            raise LinkInvalidError
        return ResetTerms(username=recipient.username, deletion_due_at=recipient.deletion_due_at)

    async def reset(self, token: str, password: str) -> None:
        """Set a new password; the account's sessions and their live connections end. A second factor stays.

        Reading the mail proves that the address is the user's, so it is verified as well. Raises `LinkInvalidError`,
        `LinkUsedError` and `LinkExpiredError`.
        """
        # Before the password is hashed, which is the expensive part.
        await links.read(self._db, TokenPurpose.PASSWORD_RESET, token)
        encoded = await self._passwords.hash(password)
        async with self._db.transaction() as tx:
            found = await links.use(tx, TokenPurpose.PASSWORD_RESET, token)
            user = await users.set_password_hash(tx, found.user_id, encoded)
            if user is None:
                raise LinkInvalidError
            await one_time_tokens.use_up_all(tx, user.id, TokenPurpose.PASSWORD_RESET)
            await email_addresses.verify(tx, str(found.payload.get("email", "")), user.id)
            ended = await sessions.revoke_all(tx, user.id)
            mails.request(tx, user.id, MailKind.PASSWORD_CHANGED)
            security_notices.notice(tx, user.id, SecurityEvent.PASSWORD_RESET)
        await self._sessions.revoke(user.id, ended)
