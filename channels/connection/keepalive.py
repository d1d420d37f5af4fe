"""Pings, pongs and deadlines of all connections from one task, which looks only at those that are due.

Connections lie in slots by the tick at which they are next due, so that the cost of a tick grows with
what happens in it and not with how many connections there are.
"""

from __future__ import annotations

import asyncio
import math
import random

from channels.connection.connection import Connection
from channels.connection.wire_format import SharedMessage
from channels.contract.settings import LiveSettings
from channels.protocol import codes

_BUSY_EXTENSION = 1.0  # seconds: a client is not blamed for the pong that waits behind a command of its own


class Keepalive:
    """Watch connections: ping them, and close those that are stale, expired or silent."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._slots: dict[int, list[Connection]] = {}
        self._cursor: int | None = None
        self._ping = SharedMessage({})

    async def run(self) -> None:
        """Look at what is due, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._settings.tick)
            self.tick(loop.time())

    def watch(self, connection: Connection) -> None:
        """Look at a connection when it is next due; call again when that has come nearer."""
        due = connection.deadlines.next()
        if due < connection.next_check:
            connection.next_check = due
            self._slots.setdefault(self._slot(due), []).append(connection)

    def start_pings(self, connection: Connection, now: float) -> None:
        """Ping from a random moment of the interval on, so that connections do not ping together."""
        connection.deadlines.connect = math.inf
        connection.deadlines.ping = now + random.random() * self._settings.ping_interval
        self.watch(connection)

    def tick(self, now: float) -> None:
        """Look at all connections that are due at `now`, in seconds of the event loop's clock."""
        last = math.floor(now / self._settings.tick)
        first = -math.inf if self._cursor is None else self._cursor + 1
        if last - first < len(self._slots):
            due_slots = list(range(int(first), last + 1))
        else:  # the first turn, or the process slept for long
            due_slots = sorted(slot for slot in self._slots if slot <= last)
        self._cursor = last
        for slot in due_slots:
            for connection in self._slots.pop(slot, ()):
                self._check(connection, now)

    def _slot(self, due: float) -> int:
        slot = math.ceil(due / self._settings.tick)
        return slot if self._cursor is None else max(slot, self._cursor + 1)

    def _check(self, connection: Connection, now: float) -> None:
        # One that was put into an earlier slot as well has been looked at; one that is closed needs no look.
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
                connection.send_shared(self._ping)
                deadlines.ping = now + self._settings.ping_interval
                if connection.answers_pings:
                    connection.core.ping_sent()
                    deadlines.pong = now + self._settings.pong_deadline
            self.watch(connection)

    @staticmethod
    def _is_silent(connection: Connection, now: float) -> bool:
        if not connection.core.pong_due:
            connection.deadlines.pong = math.inf
            return False
        if connection.busy:
            connection.deadlines.pong = now + _BUSY_EXTENSION
            return False
        return True
