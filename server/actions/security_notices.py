"""Notices to users of changes of their account that no one else should have made: in the inbox."""

from __future__ import annotations

from storage.models import SecurityEvent
from storage.postgres.database import Transaction
from storage.stores import security_notices


def record(tx: Transaction, user_id: int, event: SecurityEvent, *, device: str = "") -> None:
    """Notify a user within the transaction of the change; `device` is the name of the client that made it."""
    security_notices.notice(tx, user_id, event, device=device)
