"""Verify and change the e-mail address of an account."""

from __future__ import annotations

from dataclasses import dataclass

from server.actions import links
from server.actions.credentials import CredentialChecks
from server.actions.reauthentication import Reauthentication
from server.identity.errors import LinkUsedError
from storage.errors import ConflictError, NotFoundError
from storage.mails import ChangeEnd, ChangeProgress, MailKind, Recipient, TokenPurpose
from storage.notifications import SecurityEvent
from storage.postgres.database import Database
from storage.stores.accounts import email_addresses, email_changes
from storage.stores.accounts.email_changes import EmailChange
from storage.stores.credentials import one_time_tokens
from storage.stores.notifications import mails, security_notices

MAIL_QUOTA = "account_mails"
CHANGE_QUOTA = "writes"


@dataclass(frozen=True, kw_only=True, slots=True)
class EmailState:
    """The address of an account, and the change of it that waits for a confirmation."""

    recipient: Recipient
    change: EmailChange | None


class EmailActions:
    """Actions on the address of an account; `address` is always the client's network address."""

    def __init__(self, db: Database, checks: CredentialChecks, reauthentication: Reauthentication) -> None:
        self._db = db
        self._checks = checks
        self._reauthentication = reauthentication

    async def state(self, viewer_id: int) -> EmailState:
        """Return the address of an account; raise `NotFoundError("user")`."""
        recipient = await email_addresses.recipient(self._db, viewer_id)
        if recipient is None:
            raise NotFoundError("user")
        return EmailState(recipient=recipient, change=await email_changes.waiting(self._db, viewer_id))

    async def send_verification(self, viewer_id: int) -> None:
        """Send the mail with which the address is verified once more; raise `ConflictError` email_verified."""
        state = await self.state(viewer_id)
        if state.recipient.verified:
            raise ConflictError("email_verified", "This address is verified already.")
        async with self._db.transaction() as tx:
            mails.request(tx, viewer_id, MailKind.VERIFY_EMAIL)

    async def verify(self, token: str) -> str:
        """Verify the address that a link was sent to, and return it.

        Raises `ConflictError` email_taken if another account has claimed it meanwhile, and `LinkInvalidError`,
        `LinkUsedError` or `LinkExpiredError`.
        """
        async with self._db.transaction() as tx:
            found = await links.use(tx, TokenPurpose.VERIFY_EMAIL, token)
            email = str(found.payload["email"])
            if not await email_addresses.verify(tx, email, found.user_id):
                raise ConflictError("email_taken", "This e-mail address belongs to another account.")
            await one_time_tokens.use_up_all(tx, found.user_id, TokenPurpose.VERIFY_EMAIL)
        return email

    async def change(
        self, viewer_id: int, session: str, email: str, *, password: str | None, address: str
    ) -> EmailChange:
        """Begin to change the address: links are sent to the new one, and to the present one if it is verified.

        Whether another account has the new address is said in the mail to it alone. Raises `WrongPasswordError` and
        `RateLimitedError` with a password, and `ReauthenticationRequiredError` without one; `ConflictError`
        email_unchanged, and `NotFoundError("user")`.
        """
        if password is None:
            await self._reauthentication.require(viewer_id, session)
        else:
            await self._checks.confirm(viewer_id, password, address=address)
        async with self._db.transaction() as tx:
            change = await email_changes.begin(tx, viewer_id, email)
            for end in change.ends:
                mails.request(tx, viewer_id, MailKind.EMAIL_CHANGE, {"change_id": change.id, "end": end.value})
        return change

    async def stop_change(self, viewer_id: int) -> None:
        """Stop the change that waits, if any."""
        async with self._db.transaction() as tx:
            await email_changes.stop(tx, viewer_id)

    async def confirm_change(self, token: str) -> tuple[ChangeProgress, str]:
        """Confirm a change by the link of either mail; return what has become of it, and the new address.

        Raises `ConflictError` email_taken if another account has claimed the new address, `LinkInvalidError`,
        `LinkExpiredError`, and `LinkUsedError` also for a change that was stopped.
        """
        async with self._db.transaction() as tx:
            found = await links.use(tx, TokenPurpose.EMAIL_CHANGE, token)
            change_id, end = int(found.payload["change_id"]), ChangeEnd(found.payload["end"])
            change = await email_changes.confirm(tx, found.user_id, change_id, end)
            if change is None:
                raise LinkUsedError
            if not change.confirmed:
                return ChangeProgress.WAITING, change.email
            former = await email_changes.complete(tx, change)
            mails.request(tx, found.user_id, MailKind.EMAIL_CHANGED, {"former": former})
            security_notices.notice(tx, found.user_id, SecurityEvent.EMAIL_CHANGED)
        return ChangeProgress.CHANGED, change.email

    async def refuse_change(self, token: str) -> None:
        """Stop a change by the link of either mail; raises what `confirm_change` raises but `ConflictError`."""
        async with self._db.transaction() as tx:
            found = await links.use(tx, TokenPurpose.EMAIL_CHANGE, token)
            if not await email_changes.stop(tx, found.user_id, int(found.payload["change_id"])):
                raise LinkUsedError
