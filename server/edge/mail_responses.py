"""Models of response bodies about e-mail addresses and forgotten passwords."""

from __future__ import annotations

from datetime import datetime

from server.edge.responses import ResponseModel, Time
from storage.mails import ChangeProgress, Recipient
from storage.render.timestamps import timestamp
from storage.stores.accounts.email_changes import EmailChange


class WaitingChange(ResponseModel):
    """A change of the address that waits for confirmations.

    `old_confirmed` is null if the present address need not confirm it, because it is not verified.
    """

    email: str
    new_confirmed: bool
    old_confirmed: bool | None
    expires_at: Time

    @classmethod
    def from_model(cls, change: EmailChange) -> WaitingChange:
        """Return the response for a change."""
        return cls(
            email=change.email,
            new_confirmed=change.new_confirmed_at is not None,
            old_confirmed=None if change.from_email is None else change.old_confirmed_at is not None,
            expires_at=timestamp(change.expires_at),
        )


class EmailResponse(ResponseModel):
    """The e-mail address of the viewer's account, when it was verified, and the change of it that waits."""

    email: str
    verified_at: Time | None
    change: WaitingChange | None

    @classmethod
    def from_model(cls, recipient: Recipient, change: EmailChange | None) -> EmailResponse:
        """Return the response for an address."""
        return cls(
            email=recipient.address,
            verified_at=_time(recipient.verified_at if recipient.verified else None),
            change=None if change is None else WaitingChange.from_model(change),
        )


class VerifiedEmailResponse(ResponseModel):
    """The address that was verified."""

    email: str


class EmailChangeResponse(ResponseModel):
    """What an answer to a change has led to: `waiting` is for the other address. `email` is the new address."""

    state: ChangeProgress
    email: str | None = None


class ResetTermsResponse(ResponseModel):
    """The account whose password a link resets; `deletion_due_at` is until when its deletion can be undone."""

    username: str
    deletion_due_at: Time | None

    @classmethod
    def from_model(cls, username: str, deletion_due_at: datetime | None) -> ResetTermsResponse:
        """Return the response for a link."""
        return cls(username=username, deletion_due_at=_time(deletion_due_at))


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
