"""Recovery after a suspected loss: read every affected stream again from its offset, and renew registrations.

While a stream is held, live publications are queued. What was missed is read and sent first, then the queued
publications that are newer. A client whose gap cannot be filled is closed with 3010: it reconnects and learns from
the connect result that it has to refetch. A client whose session has ended meanwhile is closed as at a sign-out.

A loss is suspected when the pub/sub connection breaks, when one of its messages is unreadable, and when a registration
turns out to be missing, for example after Redis was emptied; that is noticed by the regular renewal, or when the same
user connects once more. Independently of losses, a connection is compared with its streams whenever its token is
refreshed.
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
from channels.contract.errors import LiveUnavailableError, TokenInvalidError
from channels.contract.metrics import LiveMetrics
from channels.contract.ports import Authenticator, Position, Streams
from channels.contract.settings import LiveSettings
from channels.hub.hub import HeldStreams, Hub
from channels.protocol import codes
from channels.protocol.codes import Unsubscribed
from channels.protocol.messages import publication_push

log = structlog.get_logger(__name__)

T = TypeVar("T")

_CHUNK = 1000  # users held at once while their registrations are renewed: about 2 ms
_ROUNDS = 5  # per renewal interval; all but the last renew only a sample of the registrations
_SAMPLE = 16  # users
_RETRY_SECONDS = 0.25


class StreamRecovery:
    """Holds streams on a loss, recovers them once messages arrive again, and renews registrations."""

    def __init__(
        self,
        hub: Hub,
        registry: Registry,
        streams: Streams,
        authenticator: Authenticator,
        settings: LiveSettings,
        *,
        metrics: LiveMetrics,
    ) -> None:
        self._hub = hub
        self._registry = registry
        self._streams = streams
        self._authenticator = authenticator
        self._settings = settings
        self._metrics = metrics
        # Held connections that are to be read again, each with the states that were held. A state is held once for
        # its entry here; further entries for the same states must release their own hold.
        self._pending: HeldStreams = {}
        self._subscribed = False
        self._due = asyncio.Event()
        self._renewal_due = asyncio.Event()

    @property
    def subscribed(self) -> bool:
        """Return whether all messages of this process's channels arrive."""
        return self._subscribed

    def lost(self) -> None:
        """Hold all streams until `restored` and a successful read of each."""
        self._subscribed = False
        self._hub.detach_topics()
        self._hub.stars.clear()
        # Streams that are pending already are not held twice: one release per entry ends the hold.
        self._pending.update(self._hub.hold(already_held=self._pending))

    def restored(self) -> None:
        """Schedule the held streams to be read again."""
        self._subscribed = True
        self._due.set()

    async def run(self) -> None:
        """Recover after losses until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            if not self._pending:
                continue
            # Register before reading: what is inserted from then on arrives live, and what came before is read.
            await _retry_while_unavailable(lambda: self._registry.register(self._pending_users()))
            # Another loss during the registration may have removed it again. Its own `restored` sets the event, so
            # this round ends here and the next one registers first.
            if self._subscribed and not self._due.is_set():
                pending, self._pending = self._pending, {}
                await self._recover_all(pending)

    async def register(self, newcomer: Connection, user_id: int) -> None:
        """Register the user of a connection that has just joined; raise `LiveUnavailableError`.

        If the registration had been missing, the user's other connections may have missed publications and are read
        again: this registration hides the loss, so no later check would find it.
        """
        held = self._hub.hold([user_id], already_held={newcomer: tuple(newcomer.streams.values())})
        # A connection without a position reads its streams after this registration, so it has missed nothing.
        positioned = {other for other, states in held.items() if any(state.epoch is not None for state in states)}
        # On an error the registration may or may not have been made, so its former state is lost: assume the worst.
        was_missing = True
        try:
            was_missing = user_id in await self._registry.register([user_id])
        finally:
            for other, states in held.items():
                if was_missing and other in positioned:
                    self._schedule(other, states)
                else:
                    _release_all(other, states)

    async def read_stars(self, user_id: int) -> None:
        """Read which stars a user follows, so that what they publish is delivered; raise `LiveUnavailableError`.

        To be called once orders reach the user, and before the user's streams are read: what the stars publish after
        that then arrives.
        """
        while True:
            with self._hub.stars.watch(user_id) as order:
                stars = await self._streams.stars(user_id)
            if not order.arrived:
                self._hub.set_stars(user_id, stars)
                return

    def unregister(self, user_id: int) -> None:
        """Remove the registration of a user whose last connection has ended; returns at once."""
        self._registry.unregister(user_id)

    def was_expired(self) -> None:
        """Renew all registrations at once: another process took this one for dead and removed them."""
        self._registry.uncertain = True
        self._renewal_due.set()

    async def renew_registrations(self) -> None:
        """Renew the registrations at every interval until cancelled, and recover users whose registration was missing.

        A random sample is renewed more often. If one of the sample was missing, Redis has probably lost many, and all
        are renewed at once.
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
            # Cleared before the renewal, not after: a write that fails meanwhile must set it for the next round.
            self._registry.uncertain = False
            for start in range(0, len(user_ids), _CHUNK):
                await self._renew(user_ids[start : start + _CHUNK])

    async def check(self, connection: Connection) -> None:
        """Compare one connection with its streams; called after each refresh of its token.

        Only this check finds a stream that began a new epoch (an evicted key) under a connected client. The read also
        keeps the streams of clients that never disconnect from expiring.
        """
        states = tuple(connection.streams.values())
        for state in states:
            state.hold()
        if not await self._recover(connection, states, after_loss=False):
            self._metrics.live_recovered(recovered=0, lost=1)

    async def _renew(self, user_ids: list[int]) -> bool:
        """Renew these users' registrations and recover the missing ones; return whether any was missing."""
        # A user who is still connecting may not be registered yet. That is no loss, and `register` follows.
        user_ids = [user_id for user_id in user_ids if self._hub.has_connected_client(user_id)]
        # Held during the renewal: a publication right after it would otherwise be delivered first, and its offset
        # would hide the missed ones before it.
        held = self._hub.hold(user_ids)
        try:
            missing = await self._registry.register(user_ids)
        except LiveUnavailableError:
            # Some may be registered by now, and a repeated call no longer reports them as missing: suspect all.
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
            await self._recover_all(suspects)
        return bool(missing)

    def _pending_users(self) -> list[int]:
        """Return the users to be read again, after adding all of their other connections to the pending ones."""
        users = {connection.identity.user_id for connection in self._pending if connection.identity is not None}
        # A connection that joined after the loss shares the registration. Once that is repaired, nothing would show
        # that it had been missing.
        self._pending.update(self._hub.hold(users, already_held=self._pending))
        return list(users)

    def _schedule(self, connection: Connection, states: tuple[StreamState, ...]) -> None:
        """Schedule the held streams of a connection to be read again."""
        if self._pending.get(connection) == states:
            _release_all(connection, states)  # the pending entry has a hold of its own
        else:
            self._pending[connection] = states
            self._due.set()

    async def _recover_all(self, held: HeldStreams) -> None:
        if not held:
            return
        # The tasks share one iterator, so each connection is taken by exactly one of them.
        work = iter(held.items())
        lost = itertools.count()

        async def recover_some() -> None:
            for connection, states in work:
                if not await self._recover(connection, states, after_loss=True):
                    next(lost)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.recovery_concurrency, len(held))):
                group.create_task(recover_some())
        failures = next(lost)
        log.info("live_streams_recovered", connections=len(held), lost=failures)
        self._metrics.live_recovered(recovered=len(held) - failures, lost=failures)

    async def _recover(self, connection: Connection, states: tuple[StreamState, ...], *, after_loss: bool) -> bool:
        # Orders are addressed by the registration, too, so those that end a session or a permission may be missed.
        if after_loss and not await self._is_confirmed(connection):
            connection.close(codes.INVALID_TOKEN)
            return True
        await self._recover_stars(connection)
        for state in states:
            if not await self._recover_stream(connection, state):
                connection.close(codes.INSUFFICIENT_STATE)
                return False
        if after_loss:
            # Topics keep no history: the client subscribes again, and its permission is checked again.
            for channel in list(connection.channels):
                self._hub.end_subscription(connection, channel, Unsubscribed.INSUFFICIENT)
        return True

    async def _recover_stars(self, connection: Connection) -> None:
        identity = connection.identity
        if identity is not None and connection.closed_with is None:
            await _retry_while_unavailable(lambda: self.read_stars(identity.user_id))

    async def _is_confirmed(self, connection: Connection) -> bool:
        """Return whether the session of a connection has not been revoked."""
        identity = connection.identity
        if identity is None or connection.closed_with is not None:
            return True
        try:
            await _retry_while_unavailable(lambda: self._authenticator.confirm(identity))
        except TokenInvalidError:
            return False
        return True

    async def _recover_stream(self, connection: Connection, state: StreamState) -> bool:
        identity = connection.identity
        # Another state under the same name means that the client has connected again and read the stream itself.
        if identity is None or connection.closed_with is not None or connection.streams.get(state.name) is not state:
            return True
        if state.epoch is None or not connection.core.connected:
            return False  # the loss fell into the connect: the position in its result may already hide a gap
        since = Position(epoch=state.epoch, offset=state.offset)
        recovery = await _retry_while_unavailable(lambda: self._streams.recover(identity.user_id, state.name, since))
        if not recovery.recovered:
            return False
        for item in recovery.publications:
            # Two reads of one stream can overlap, after a loss and after a refresh. The second to return must not
            # repeat what the first has sent.
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
    while True:
        try:
            return await attempt()
        except LiveUnavailableError:
            await asyncio.sleep(_RETRY_SECONDS)
