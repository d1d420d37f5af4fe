"""Live subscriptions follow a change of permissions before its response is sent."""

from __future__ import annotations

from collections.abc import Awaitable

import structlog

from channels.contract.errors import LiveUnavailableError
from storage.errors import UnavailableError

log = structlog.get_logger(__name__)


async def at_once(change: Awaitable[None]) -> None:
    """Await a change of live subscriptions; leave it to the worker if an engine is unavailable."""
    try:
        await change
    except (UnavailableError, LiveUnavailableError) as error:
        # What led to it is committed, and the worker repeats it for the event.
        log.warning("live_permissions_not_updated", error=str(error))
