"""Requests for mails, which a worker sends after the commit.

Any part of PicShare sends a mail so: it adds a kind to `storage.mails.MailKind`, the function that writes its content
to `workers.jobs.mails.mail_kinds`, and calls `request` in the transaction of the action that the mail is about. The
content is read when the mail is sent, so `params` holds ids and short facts, and never a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from storage.mail_events import MailRequested
from storage.mails import MailKind
from storage.postgres.database import Transaction


def request(
    tx: Transaction, user_id: int, kind: MailKind, params: Mapping[str, Any] | None = None, *, after: float = 0.0
) -> None:
    """Have a mail sent to a user once the transaction is committed, `after` seconds at the earliest.

    `params` are what the content of this kind is made of. Emits `MailRequested`.
    """
    tx.emit(MailRequested(user_id=user_id, kind=kind.value, params=dict(params or {})), after=after)
