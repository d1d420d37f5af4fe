"""Notices to users of changes of their account that no one else should have made: in the inbox, and by mail."""

from __future__ import annotations

from storage.mails import MailKind
from storage.notifications import SecurityEvent
from storage.postgres.database import Transaction
from storage.stores.notifications import mails, security_notices


def record(tx: Transaction, user_id: int, event: SecurityEvent, *, device: str = "") -> None:
    """Notify a user within the transaction of the change.

    `device` is the name of the client that made it, empty for an operator. A mail goes to the account's address even if
    it is not verified: an attacker must not be able to prevent it.
    """
    security_notices.notice(tx, user_id, event, device=device)
    mails.request(tx, user_id, MailKind.SECURITY_NOTICE, {"event": event.value, "device": device})
