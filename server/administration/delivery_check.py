"""The doctor's check of notifications that leave the application: whether they are late, and time zones exist."""

from __future__ import annotations

from server.administration.findings import Finding
from server.composition.backends import open_database
from server.config.settings import Settings
from storage.quiet_hours import UnknownZoneError, find_zone
from storage.stores.notifications import deliveries

MAX_AGE = 120.0  # seconds for which a delivery may be due, as in the alert


async def inspect_deliveries(settings: Settings) -> Finding:
    """Check for how long the oldest delivery has been due; raise `StorageError` if PostgreSQL is not reachable."""
    try:
        find_zone("Europe/Berlin")
    except UnknownZoneError:
        return Finding(
            name="notifications",
            detail="this machine has no time zones, which quiet hours need",
            remedy="Install the time zones of the system (the package tzdata).",
        )
    async with open_database(settings, min_size=1, max_size=2) as db:
        age, waiting = await deliveries.oldest_due(db), await deliveries.waiting(db)
    detail = f"{waiting} pushes, mails and digests wait, the oldest has been due for {age:.0f} s"
    late = "Run more processes `picshare worker webhooks`, and look for `deliveries_not_finished` in their logs."
    return Finding(name="notifications", detail=detail, remedy=late if age > MAX_AGE else "")
