"""Who is present, for those who may know."""

from __future__ import annotations

from collections.abc import Sequence

from channels.errors import NotOfferedError
from channels.ports import Identity, Present


class LivePresences:
    """Tell of nobody yet."""

    async def present(self, identity: Identity, channel: str) -> Sequence[Present]:
        """Raise `NotOfferedError`."""
        del identity
        raise NotOfferedError(f"{channel} does not tell who is present")
