"""Pings and deadlines of all connections, checked by one task.

A ping and its pong are what an idle connection costs, and most connections are idle. Connections that are due at the
same tick are therefore a group, which is pinged by one call, whose pongs are looked at together, and which stays
together for the next ping. All other deadlines belong to single connections.
"""

from __future__ import annotations

import asyncio
import math
import random

from channels.connection.connection import Connection
from channels.connection.timing_wheel import TimingWheel
from channels.connection.wire_format import SharedMessage
from channels.connection.write_buffer import WriteScheduler
from channels.contract.settings import LiveSettings
from channels.protocol import codes

_BUSY_EXTENSION = 1.0  # seconds, while the pong may wait in the inbox behind a request that is being handled


class Keepalive:
    """Pings connections, and closes those that are stale, expired or silent."""

    def __init__(self, settings: LiveSettings, scheduler: WriteScheduler) -> None:
        self._settings = settings
        self._scheduler = scheduler
        self._checks: TimingWheel[Connection] = TimingWheel(settings.tick)
        self._pings: TimingWheel[Connection] = TimingWheel(settings.tick)
        self._pongs: TimingWheel[Connection] = TimingWheel(settings.tick)
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
            self._checks.add(due, connection)

    def start_pings(self, connection: Connection, now: float) -> None:
        """Start pings at a random moment of the interval, so that connections are not pinged all at once."""
        connection.deadlines.connect = math.inf
        self._pings.add(now + random.random() * self._settings.ping_interval, connection)

    def supersede(self, connection: Connection, now: float) -> None:
        """Find out whether a connection that is one too many is alive: ping it, unless a pong is due already.

        Its pong closes it for good (3504). Without one, the pong deadline closes it like any dead connection.
        """
        connection.core.supersede()
        if not connection.core.pong_due:
            connection.send_shared(self._ping)
            if connection.answers_pings:
                self._expect_pong(connection, now + self._settings.pong_deadline)
                self.watch(connection)

    def tick(self, now: float) -> None:
        """Check all connections that are due at `now`, in seconds of the event loop's clock."""
        for _, connections in self._checks.take(now):
            for connection in connections:
                self._check(connection, now)
        for _, connections in self._pongs.take(now):
            for connection in connections:
                # A pong may be due for a later ping (see `supersede`), so its own deadline counts.
                if connection.core.pong_due and now >= connection.deadlines.pong and connection.closed_with is None:
                    self._close_if_silent(connection, now)
                    self.watch(connection)
        for due, connections in self._pings.take(now):
            self._ping_all([connection for connection in connections if connection.closed_with is None], due, now)

    def _ping_all(self, connections: list[Connection], due: float, now: float) -> None:
        """Ping a group whose moment was `due`, and wait for its pongs and its next moment."""
        if not connections:
            return
        self._scheduler.send_to_all(connections, self._ping)
        deadline = now + self._settings.pong_deadline
        for connection in connections:
            # A pong that is due already, for a ping of `supersede`, keeps its deadline.
            if connection.answers_pings and not connection.core.pong_due:
                self._expect_pong(connection, deadline)
        # One list in both wheels: a connection that is appended to it for its first ping has no pong due.
        self._pongs.add_all(deadline, connections)
        # A whole number of intervals: also after a suspension of the process, groups stay spread over the interval.
        interval = self._settings.ping_interval
        self._pings.add_all(due + interval * max(1, math.floor((now - due) / interval) + 1), connections)

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
        else:
            if now >= deadlines.pong:
                self._close_if_silent(connection, now)
            self.watch(connection)

    @staticmethod
    def _expect_pong(connection: Connection, deadline: float) -> None:
        connection.core.ping_sent()
        connection.deadlines.pong = deadline

    @staticmethod
    def _close_if_silent(connection: Connection, now: float) -> None:
        if not connection.core.pong_due:
            connection.deadlines.pong = math.inf
        elif connection.busy:
            connection.deadlines.pong = now + _BUSY_EXTENSION
        else:
            connection.close(codes.NO_PONG)
