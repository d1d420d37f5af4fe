"""What the commands about originals in quarantine do."""

from __future__ import annotations

from server.administration.commands import open_database
from server.config.settings import Settings
from storage.stores.media import quarantine
from storage.stores.media.quarantine import Quarantined

_PAGE = 1000


async def find(settings: Settings) -> list[Quarantined]:
    """Return all originals in quarantine, in the order of their hashes."""
    found: list[Quarantined] = []
    async with open_database(settings) as db:
        while page := await quarantine.page(db, after=found[-1].sha256 if found else "", limit=_PAGE):
            found += page
    return found


async def release(settings: Settings, sha256: str) -> bool:
    """Release an original, which the janitor then deletes if nothing uses it; return whether it was in quarantine."""
    async with open_database(settings) as db, db.transaction() as tx:
        return await quarantine.release(tx, sha256.strip().lower())
