"""The lock of an inbox, an advisory lock with the recipient's id as its key.

Every writer of an inbox takes it first, so they run one after the other; different inboxes never wait for each other.
"""

from __future__ import annotations

from storage.postgres.database import Transaction


async def acquire(tx: Transaction, recipient_id: int) -> None:
    """Lock an inbox until the transaction ends; `Database.locked` holds the same lock for longer."""
    await tx.execute("SELECT pg_advisory_xact_lock($1)", recipient_id)
