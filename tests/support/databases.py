"""Test doubles for the database."""

from __future__ import annotations

from typing import Any


class NoDatabase:
    """A database that must not be queried."""

    async def fetch(self, sql: str, *args: object) -> Any:
        """Fail the test."""
        raise AssertionError(sql)

    fetchrow = fetchval = fetch
