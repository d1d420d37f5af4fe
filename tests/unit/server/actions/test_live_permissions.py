"""Changes of permission that could not be made at once."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from channels.contract.errors import LiveUnavailableError
from server.actions.live_permissions import at_once
from storage.errors import UnavailableError


@pytest.mark.parametrize("error", [UnavailableError("redis", "down"), LiveUnavailableError("down")], ids=str)
async def test_an_outage_leaves_the_change_to_the_worker(error: Exception) -> None:
    """What led to the change is committed, so the request succeeds, and the log says what is late."""

    async def change() -> None:
        raise error

    with capture_logs() as logs:
        await at_once(change())
    assert [entry["event"] for entry in logs] == ["live_permissions_not_updated"]
