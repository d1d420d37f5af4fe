"""Mails: their kinds, and the account that one is for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MailKind(StrEnum):
    """Kinds of mails; `workers.jobs.mails.mail_kinds` has the content of each."""

    VERIFY_EMAIL = "verify_email"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a name
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    EMAIL_CHANGE = "email_change"
    EMAIL_CHANGED = "email_changed"
    WEBHOOK_FAILING = "webhook_failing"
    WEBHOOK_DISABLED = "webhook_disabled"
    SECURITY_NOTICE = "security_notice"
    ACCOUNT_DECISION = "account_decision"
    NOTIFICATION = "notification"
    DIGEST = "digest"


class TokenPurpose(StrEnum):
    """What a token of a mail permits, once."""

    VERIFY_EMAIL = "verify_email"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a name
    EMAIL_CHANGE = "email_change"


class ChangeEnd(StrEnum):
    """The two addresses that confirm a change of one into the other."""

    OLD = "old"
    NEW = "new"


class ChangeProgress(StrEnum):
    """What an answer to a change of an address has led to."""

    WAITING = "waiting"  # for the other address
    CHANGED = "changed"
    STOPPED = "stopped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipient:
    """An account that mails are for, also one whose deletion can be undone, or that is suspended.

    `claimed` is whether the address belongs to this account alone: others may have given the same, but only one can
    verify it. An account of an earlier version has claimed its address without having verified it.
    """

    user_id: int
    username: str
    display_name: str
    address: str
    claimed: bool
    verified_at: datetime | None = None
    deletion_due_at: datetime | None = None
    language: str = "en"

    @property
    def verified(self) -> bool:
        """Return whether the user has proven that the address is theirs."""
        return self.claimed and self.verified_at is not None
