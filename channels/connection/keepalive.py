"""Pings and deadlines of all connections, checked by one task.

Connections are kept in slots by the tick at which they are next due (a timing wheel). The cost of a tick grows with the
connections that are due, not with those that exist.
"""

from __future__ import annotations

import asyncio
import math
import random

from channels.connection.connection import Connection
from channels.connection.wire_format import SharedMessage
from channels.contract.settings import LiveSettings
from channels.protocol import codes

_BUSY_EXTENSION = 1.0  # seconds, while the pong may wait in the inbox behind a request that is being handled


class Keepalive:
    """Pings connections, and closes those that are stale, expired or silent."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._slots: dict[int, list[Connection]] = {}
        self._cursor: int | None = None
        self._ping = SharedMessage({})

    async def run(self) -> None:
        """Check what is due at every tick, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._settings.tick)
            self.tick(loop.time())

    def watch(self, connection: Connection) -> None:
        """Check a connection at its next deadline; call again whenever a deadline has moved nearer."""
        due = connection.deadlines.next()
        # A deadline that moved away needs no new slot: the check in the old one finds nothing due and watches again.
        if due < connection.next_check:
            connection.next_check = due
            self._slots.setdefault(self._slot(due), []).append(connection)

    def start_pings(self, connection: Connection, now: float) -> None:
        """Start pings at a random moment of the interval, so that connections are not pinged all at once."""
        connection.deadlines.connect = math.inf
        connection.deadlines.ping = now + random.random() * self._settings.ping_interval
        self.watch(connection)

    def supersede(self, connection: Connection, now: float) -> None:
        """Find out whether a connection that is one too many is alive: ping it, unless a pong is due already.

        Its pong closes it for good (3504). Without one, the pong deadline closes it like any dead connection.
        """
        connection.core.supersede()
        if not connection.core.pong_due:
            self._send_ping(connection, now)
            self.watch(connection)

    def tick(self, now: float) -> None:
        """Check all connections that are due at `now`, in seconds of the event loop's clock."""
        last = math.floor(now / self._settings.tick)
        first = -math.inf if self._cursor is None else self._cursor + 1
        if last - first < len(self._slots):
            due_slots = list(range(int(first), last + 1))
        else:  # the first tick, or the process was suspended for longer than there are slots
            due_slots = sorted(slot for slot in self._slots if slot <= last)
        self._cursor = last
        for slot in due_slots:
            for connection in self._slots.pop(slot, ()):
                self._check(connection, now)

    def _slot(self, due: float) -> int:
        # Rounded up, so that the deadline has passed when the slot is checked. A past slot would never be checked.
        slot = math.ceil(due / self._settings.tick)
        return slot if self._cursor is None else max(slot, self._cursor + 1)

    def _check(self, connection: Connection, now: float) -> None:
        # After a deadline moved nearer a connection is in two slots; in the later one it has been checked already.
        if connection.closed_with is not None or connection.next_check > now:
            return
        connection.next_check = math.inf
        deadlines = connection.deadlines
        if now >= deadlines.connect:
            connection.close(codes.STALE)
        elif now >= deadlines.expiry:
            connection.close(codes.EXPIRED)
        elif now >= deadlines.pong and self._is_silent(connection, now):
            connection.close(codes.NO_PONG)
        else:
            if now >= deadlines.ping:
                self._send_ping(connection, now)
            self.watch(connection)

    def _send_ping(self, connection: Connection, now: float) -> None:
        connection.send_shared(self._ping)
        connection.deadlines.ping = now + self._settings.ping_interval
        if connection.answers_pings:
            connection.core.ping_sent()
            connection.deadlines.pong = now + self._settings.pong_deadline

    @staticmethod
    def _is_silent(connection: Connection, now: float) -> bool:
        if not connection.core.pong_due:
            connection.deadlines.pong = math.inf
            return False
        if connection.busy:
            connection.deadlines.pong = now + _BUSY_EXTENSION
            return False
        return True
