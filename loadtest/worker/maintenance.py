"""What has to be looked after while sockets are held: silent servers, tokens that end, and overdue deliveries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from loadtest.community.accounts import Person
from loadtest.traffic.audience import Crowd
from loadtest.traffic.uploads import Uploads

INTERVAL = 0.5  # seconds between two rounds


class Care:
    """Make rounds over the sockets, the people and the ledger of one process."""

    def __init__(self, crowd: Crowd, people: Sequence[Person], uploads: Uploads | None) -> None:
        self._crowd = crowd
        self._people = people
        self._uploads = uploads

    async def run(self) -> None:
        """Make rounds until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look_after_sockets())
            group.create_task(self._look_after_tokens())
            group.create_task(self._look_after_deliveries())

    async def _look_after_sockets(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            now = time.monotonic()
            for socket in self._crowd.sockets:
                socket.look(now)

    async def _look_after_tokens(self) -> None:
        """Renew each person's token well before it ends, and tell it to their connections."""
        while True:
            await asyncio.sleep(INTERVAL)
            for person in self._people:
                if person.renew_at is None or time.monotonic() < person.renew_at:
                    continue
                await person.renew()
                for number in self._crowd.sockets_of(person.number):
                    self._crowd.sockets[number].refresh()

    async def _look_after_deliveries(self) -> None:
        ledger = self._crowd.ledger
        while True:
            await asyncio.sleep(INTERVAL)
            for act in ledger.unheard(time.monotonic()):
                if self._uploads is None or not act.photo_id or not await self._uploads.waits(act):
                    ledger.overdue(act)
            ledger.judge(time.monotonic())
