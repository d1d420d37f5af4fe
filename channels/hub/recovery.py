"""Close the gaps: after a suspected loss, read every affected stream again by its offset.

While a stream is held, what arrives live waits; what was missed is read and sent first, and then what
waited and is newer. A client whose gap cannot be told is closed with 3010: it connects again and
learns in the connect result that it has to fetch anew. Losses are suspected when the pub/sub
connection breaks, when one of its messages cannot be read, and when a registration turns out to be
missing, for example after the engine was emptied: at a regular renewal, or when the same person
connects once more. Besides, each connection is compared with its streams whenever its token is renewed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import structlog

from channels.bus.registry import Registry
from channels.connection.connection import Connection
from channels.connection.stream_state import StreamState
from channels.contract.errors import LiveUnavailableError
from channels.contract.metrics import LiveMetrics
from channels.contract.ports import Position, Streams
from channels.contract.settings import LiveSettings
from channels.hub.hub import HeldStreams, Hub
from channels.protocol import codes
from channels.protocol.codes import Unsubscribed
from channels.protocol.messages import publication_push

log = structlog.get_logger(__name__)

T = TypeVar("T")

_CHUNK = 1000  # people held at once while their registration is renewed: about 2 ms
_ROUNDS = 5  # of a renewal interval: in each a few registrations are looked at, in the last one all
_SAMPLE = 16  # people
_RETRY_SECONDS = 0.25


class StreamRecovery:
    """Hold streams on a loss, recover them once messages arrive again, and renew registrations."""

    def __init__(
        self, hub: Hub, registry: Registry, streams: Streams, settings: LiveSettings, metrics: LiveMetrics
    ) -> None:
        self._hub = hub
        self._registry = registry
        self._streams = streams
        self._settings = settings
        self._metrics = metrics
        self._pending: HeldStreams = {}
        self._subscribed = False
        self._due = asyncio.Event()
        self._renewal_due = asyncio.Event()

    def lost(self) -> None:
        """Hold back all streams, until `restored` and a successful read of each."""
        self._subscribed = False
        self._pending.update(self._hub.hold(already_held=self._pending))

    def restored(self) -> None:
        """Have the held streams read again."""
        self._subscribed = True
        self._due.set()

    async def run(self) -> None:
        """Recover after losses, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            if not self._pending:
                continue
            # Registered anew first: what is inserted from then on arrives, what came before is read.
            await _retry_while_unavailable(lambda: self._registry.register(self._pending_users()))
            # Else there was another loss, and who was just registered may be forgotten again.
            if self._subscribed and not self._due.is_set():
                pending, self._pending = self._pending, {}
                await self._recover_all(pending, end_topics=True)

    @property
    def subscribed(self) -> bool:
        """Return whether all messages of this process's channels arrive."""
        return self._subscribed

    async def register(self, newcomer: Connection, user_id: int) -> None:
        """Register the person of a connection that has just joined; raise `LiveUnavailableError`.

        If the registration had was_missing, the person's other connections may have missed something. They are read
        again, because from now on nobody could tell.
        """
        held = self._hub.hold([user_id], already_held={newcomer: tuple(newcomer.streams.values())})
        # Who has read no position yet will read it after this registration, and needs none before.
        positioned = {other for other, states in held.items() if any(state.epoch is not None for state in states)}
        was_missing = True
        try:
            was_missing = user_id in await self._registry.register([user_id])
        finally:
            for other, states in held.items():
                if was_missing and other in positioned:
                    self._schedule(other, states)
                else:
                    _release_all(other, states)

    def unregister(self, user_id: int) -> None:
        """Remove the registration of a user whose last connection has ended; returns at once."""
        self._registry.unregister(user_id)

    def was_expired(self) -> None:
        """Have all registrations renewed at once: others had taken this process for dead."""
        self._registry.uncertain = True
        self._renewal_due.set()

    async def renew_registrations(self) -> None:
        """Renew the registrations regularly, until cancelled, and recover whose was missing.

        A few people's are renewed more often: when theirs are missing, so are others', and all are renewed at once.
        """
        for number in itertools.count(1):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._settings.renewal_interval / _ROUNDS):
                    await self._renewal_due.wait()
            self._renewal_due.clear()
            user_ids = self._hub.user_ids()
            sample = random.sample(user_ids, min(len(user_ids), _SAMPLE))
            if number % _ROUNDS and not self._registry.uncertain and not await self._renew(sample):
                continue
            self._registry.uncertain = False
            for start in range(0, len(user_ids), _CHUNK):
                await self._renew(user_ids[start : start + _CHUNK])

    async def check(self, connection: Connection) -> None:
        """Compare one connection with its streams; asked with each refresh of its token.

        It tells what nothing else would: that a stream began anew (an evicted key) under a client that
        stayed connected. Reading also keeps the streams of people who never disconnect from expiring.
        """
        states = tuple(connection.streams.values())
        for state in states:
            state.hold()
        if not await self._recover(connection, states, end_topics=False):
            self._metrics.live_recovered(recovered=0, lost=1)

    async def _renew(self, user_ids: list[int]) -> bool:
        """Renew some people's registrations and recover who was missing; return whether anybody was.

        Who is only just connecting may not be registered yet, which is no loss, and is about to ask for it.
        """
        user_ids = [user_id for user_id in user_ids if self._hub.has_connected_client(user_id)]
        # Held meanwhile: otherwise a publication right after the renewal would hide those before it.
        held = self._hub.hold(user_ids)
        try:
            missing = await self._registry.register(user_ids)
        except LiveUnavailableError:
            # Some may be registered by now, and who was missing among them is not told twice.
            missing = set(user_ids)
            await _retry_while_unavailable(lambda: self._registry.register(user_ids))
        suspects: HeldStreams = {}
        for connection, states in held.items():
            if connection.identity is not None and connection.identity.user_id in missing:
                suspects[connection] = states
            else:
                _release_all(connection, states)
        if suspects:
            log.warning("live_registrations_missing", connections=len(suspects))
            await self._recover_all(suspects, end_topics=False)
        return bool(missing)

    def _pending_users(self) -> list[int]:
        """Return who is to be read again, on all of their connections: no other would learn that it was missing."""
        people = {connection.identity.user_id for connection in self._pending if connection.identity is not None}
        self._pending.update(self._hub.hold(people, already_held=self._pending))
        return list(people)

    def _schedule(self, connection: Connection, states: tuple[StreamState, ...]) -> None:
        """Have a connection's streams, which are held, read again."""
        if self._pending.get(connection) == states:
            _release_all(connection, states)  # it is held and due already
        else:
            self._pending[connection] = states
            self._due.set()

    async def _recover_all(self, held: HeldStreams, *, end_topics: bool) -> None:
        if not held:
            return
        work = iter(held.items())
        lost = itertools.count()

        async def recover_some() -> None:
            for connection, states in work:
                if not await self._recover(connection, states, end_topics=end_topics):
                    next(lost)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.recovery_concurrency, len(held))):
                group.create_task(recover_some())
        failures = next(lost)
        log.info("live_streams_recovered", connections=len(held), lost=failures)
        self._metrics.live_recovered(recovered=len(held) - failures, lost=failures)

    async def _recover(self, connection: Connection, states: tuple[StreamState, ...], *, end_topics: bool) -> bool:
        for state in states:
            if not await self._recover_stream(connection, state):
                connection.close(codes.INSUFFICIENT_STATE)
                return False
        if end_topics:
            # Topics keep no history: the client subscribes again, and is asked again whether it may.
            for channel in list(connection.channels):
                self._hub.end_subscription(connection, channel, Unsubscribed.INSUFFICIENT)
        return True

    async def _recover_stream(self, connection: Connection, state: StreamState) -> bool:
        identity = connection.identity
        if identity is None or connection.closed_with is not None or connection.streams.get(state.name) is not state:
            return True
        if state.epoch is None or not connection.core.connected:
            return False  # caught while connecting: what its result would say may be a gap already
        since = Position(epoch=state.epoch, offset=state.offset)
        recovery = await _retry_while_unavailable(lambda: self._streams.recover(identity.user_id, state.name, since))
        if not recovery.recovered:
            return False
        for item in recovery.publications:
            if item.offset > state.offset:
                connection.send(publication_push(state.name, item))
                state.advance(recovery.position.epoch, item.offset)
        state.advance(recovery.position.epoch, recovery.position.offset)
        _release(connection, state)
        return True


def _release_all(connection: Connection, states: tuple[StreamState, ...]) -> None:
    for state in states:
        _release(connection, state)


def _release(connection: Connection, state: StreamState) -> None:
    messages = state.release()
    if connection.streams.get(state.name) is state:
        for message in messages:
            connection.send_shared(message)


async def _retry_while_unavailable(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try until the engine answers."""
    while True:
        try:
            return await attempt()
        except LiveUnavailableError:
            await asyncio.sleep(_RETRY_SECONDS)
