"""Periodic work while sockets are connected: connection timeouts, token renewal, and overdue deliveries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from loadtest.community.accounts import Account
from loadtest.traffic.audience import Audience
from loadtest.traffic.uploads import UploadTraffic

INTERVAL = 0.5  # seconds


class Maintenance:
    """Checks the sockets, the accounts and the ledger of one process at a fixed interval."""

    def __init__(self, audience: Audience, accounts: Sequence[Account], uploads: UploadTraffic | None) -> None:
        self._audience = audience
        self._accounts = accounts
        self._uploads = uploads

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._check_timeouts())
            group.create_task(self._renew_tokens())
            group.create_task(self._check_deliveries())

    async def _check_timeouts(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            now = time.monotonic()
            for socket in self._audience.sockets:
                socket.check_timeout(now)

    async def _renew_tokens(self) -> None:
        """Renew each account's token well before it expires, and send it on the account's connections."""
        while True:
            await asyncio.sleep(INTERVAL)
            for account in self._accounts:
                if account.renew_at is None or time.monotonic() < account.renew_at:
                    continue
                await account.renew()
                for number in self._audience.sockets_of(account.number):
                    self._audience.sockets[number].refresh()

    async def _check_deliveries(self) -> None:
        ledger = self._audience.ledger
        while True:
            await asyncio.sleep(INTERVAL)
            for act in ledger.undelivered(time.monotonic()):
                if self._uploads is None or not act.photo_id or not await self._uploads.is_processing(act):
                    ledger.overdue(act)
            ledger.judge(time.monotonic())
