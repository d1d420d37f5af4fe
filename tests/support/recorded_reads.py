"""Reads of requests that record whose positions are kept."""

from __future__ import annotations

from storage.postgres.reads import PrimaryReads
from tests.support.databases import NoDatabase


class RecordedReads(PrimaryReads):
    """Reads without a database, and the users whose positions were kept, in order."""

    def __init__(self) -> None:
        super().__init__(NoDatabase())
        self.kept: list[int] = []

    async def keep_position(self, user_id: int) -> None:
        """Record a user."""
        self.kept.append(user_id)
