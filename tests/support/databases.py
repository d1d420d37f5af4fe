"""Databases that are not there."""

from __future__ import annotations

from typing import Any


class NoDatabase:
    """A database that must not be asked."""

    async def fetch(self, sql: str, *args: object) -> Any:
        """Fail."""
        raise AssertionError(sql)

    fetchrow = fetchval = fetch
