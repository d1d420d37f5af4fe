"""Client of a Redis Cluster: a shared connection to each master; each command goes to the master of its slot."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import random
from collections.abc import Sequence
from typing import Any, NoReturn

import redis.exceptions as driver
from redis.crc import key_slot

from storage.circuit import Circuits
from storage.redis.address import RedisAddress
from storage.redis.shared_connection import SILENCE, SharedConnection
from storage.redis.slots import SlotMap
from storage.redis.subscriber import MessageListener, Subscriber

_MAX_REDIRECTIONS = 8  # MOVED, ASK and TRYAGAIN replies that one command follows
_TRYAGAIN_PAUSE = 0.05  # seconds before the next attempt on keys that are just being migrated
_FRESH = 0.1  # seconds during which the slot map is not read again
_NEW_FAILURE = 1.0  # seconds without a failure of a server, after which the next one begins a new outage
_ANY_SERVER = frozenset({"PING", "INFO", "TIME", "CLUSTER", "CONFIG", "CLIENT"})
_EVERY_SERVER = frozenset({"FLUSHALL", "SCRIPT"})


class ClusterConnections:
    """Connections to the masters of a cluster; see `storage.redis.client.Redis`.

    `seeds` are the nodes to contact first, timeouts are in seconds, and `circuits` has a circuit for each server. A
    command is routed by its first key. If its connection is lost it is sent once more, provided that the slot has a new
    master. The slot map is read at the first command, and again when a reply or a lost connection shows that it is out
    of date.
    """

    sharded = True

    def __init__(
        self,
        seeds: Sequence[RedisAddress],
        *,
        reply_timeout: float,
        connect_timeout: float,
        circuits: Circuits | None = None,
    ) -> None:
        self._circuits = circuits
        self.seeds = seeds
        self._reply_timeout = reply_timeout
        self._connect_timeout = connect_timeout
        self._connections: dict[RedisAddress, SharedConnection] = {}
        self._slots = SlotMap([], seeds[0])
        self._refreshed_at = -_FRESH
        self._refreshing: asyncio.Task[None] | None = None
        self._outages: dict[RedisAddress, tuple[float, float]] = {}  # (first failure, last failure) by server

    async def execute_command(self, *command: bytes | str | int) -> Any:
        """Send a command and return its reply; raise the driver's error if Redis refused it or did not reply."""
        name = command[0]
        if name in _ANY_SERVER:
            return await self._execute_anywhere(command)
        if name in _EVERY_SERVER:
            replies = (await self.execute_everywhere(*command)).values()
            for reply in replies:
                if isinstance(reply, driver.RedisError):
                    raise reply
            return next(iter(replies))
        return await self._execute_in_slot(self.slot_of(_first_key(command)), command)

    async def execute_everywhere(self, *command: bytes | str | int) -> dict[RedisAddress, Any]:
        """Send a command to every master and return the replies; an error is returned in place of a reply."""
        await self.refresh_slots()
        masters = self._slots.masters
        replies = await asyncio.gather(
            *(self._connection(master).execute_command(*command) for master in masters), return_exceptions=True
        )
        return dict(zip(masters, replies, strict=True))

    async def refresh_slots(self) -> None:
        """Read the slot map, unless that was done a moment ago; concurrent callers share one request."""
        await self._refresh(avoiding=None)

    def reconnect(self) -> None:
        """Open new connections for the next commands; see `SharedConnection.reconnect`."""
        for connection in self._connections.values():
            connection.reconnect()

    def slot_of(self, key: bytes) -> int:
        """Return the slot of a key or channel; one command may name keys of one slot only."""
        return key_slot(key)

    def server_of(self, name: bytes) -> RedisAddress:
        """Return the master of a key or channel, as far as known; raise `ClusterDownError`."""
        slot = self.slot_of(name)
        return self._slots.master_of(slot) or _raise_no_master(slot)

    async def subscriber(self, server: RedisAddress, listener: MessageListener) -> Subscriber:
        """Open a connection to a master for pub/sub; `listener` receives its messages."""
        return await self._connection(server).subscriber(server, listener)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._refreshing is not None:
            self._refreshing.cancel()
        await asyncio.gather(*(connection.aclose() for connection in self._connections.values()))

    async def _execute_in_slot(self, slot: int, command: Sequence[bytes | str | int]) -> Any:
        address, asking = await self._master_of(slot), False
        for _ in range(_MAX_REDIRECTIONS):
            connection = self._connection(address)
            try:
                return await (connection.execute_asking if asking else connection.execute_command)(*command)
            except driver.MovedError as moved:
                # The slot has a new master for good: record it at once, then read the whole map.
                address, asking = self._redirected(moved, address), False
                self._reconnect_to_promoted([address])
                self._slots.move(slot, address)
                await self._refresh(avoiding=None)
            except driver.AskError as redirection:
                # The slot is being migrated and this key has moved already; the map stays as it is.
                address, asking = self._redirected(redirection, address), True
            except driver.TryAgainError:
                await asyncio.sleep(_TRYAGAIN_PAUSE)
            except (driver.ConnectionError, driver.TimeoutError, driver.ClusterDownError) as error:
                # CLUSTERDOWN: a master that is cut off from the others knows nothing of its successor, but they do.
                # A map that was read before the server failed may be older than the failover that caused it.
                await self._refresh(avoiding=address, newer_than=self._failing_since(address))
                failed, address, asking = address, await self._master_of(slot), False
                # After a timeout the command may have been carried out, so it is never repeated.
                if address == failed or isinstance(error, driver.TimeoutError):
                    raise
        raise driver.ClusterError(f"slot {slot} is still redirected after {_MAX_REDIRECTIONS} attempts")

    def _failing_since(self, address: RedisAddress) -> float:
        """Record a failure of a server, and return the time of the first one of this outage."""
        now = asyncio.get_running_loop().time()
        first, last = self._outages.get(address, (now, now))
        if now - last >= _NEW_FAILURE:
            first = now
        self._outages[address] = first, now
        return first

    async def _execute_anywhere(self, command: Sequence[bytes | str | int]) -> Any:
        last_error: driver.RedisError | None = None
        for address in self._known_nodes(avoiding=None):
            try:
                return await self._connection(address).execute_command(*command)
            except (driver.ConnectionError, driver.TimeoutError) as error:
                last_error = error
        raise driver.ConnectionError(f"no node of the cluster answers: {last_error}") from last_error

    async def _master_of(self, slot: int) -> RedisAddress:
        master = self._slots.master_of(slot)
        if master is None:
            await self._refresh(avoiding=None)
            master = self._slots.master_of(slot) or _raise_no_master(slot)
        return master

    async def _refresh(self, *, avoiding: RedisAddress | None, newer_than: float = -math.inf) -> None:
        # During an outage every command fails at once; without this limit each would request the map.
        if (left := self._refreshed_at + _FRESH - asyncio.get_running_loop().time()) > 0:
            if self._refreshed_at <= newer_than:
                await asyncio.sleep(left)
            if self._refreshed_at > newer_than:
                return  # It is fresh, or another caller has read it meanwhile.
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._read_slots(avoiding))
            self._refreshing.add_done_callback(self._slots_read)
        # Shielded, because the task is shared: a cancelled caller must not cancel it for the others.
        await asyncio.shield(self._refreshing)

    async def _read_slots(self, avoiding: RedisAddress | None) -> None:
        last_error: driver.RedisError | None = None
        for address in self._known_nodes(avoiding=avoiding):
            try:
                slots = SlotMap(await self._connection(address).execute_command("CLUSTER", "SLOTS"), address)
            except (driver.ConnectionError, driver.TimeoutError) as error:
                last_error = error
            else:
                # The first map has nothing to compare with: all its masters would count as promoted.
                if self._slots.masters:
                    self._reconnect_to_promoted(slots.masters)
                self._slots, self._refreshed_at = slots, asyncio.get_running_loop().time()
                return
        raise driver.ConnectionError(f"no node of the cluster answers: {last_error}") from last_error

    def _reconnect_to_promoted(self, masters: Sequence[RedisAddress]) -> None:
        # A promoted replica may have stale data, and only a new connection checks its run id (`stale_data`). An open
        # one exists where the node answered CLUSTER SLOTS or redirected a command while it was a replica.
        for address in masters:
            if address not in self._slots.masters and address in self._connections:
                self._connections[address].reconnect()

    def _slots_read(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # Marks the error as retrieved; every waiting caller may have been cancelled.

    def _known_nodes(self, *, avoiding: RedisAddress | None) -> list[RedisAddress]:
        """Return all known nodes in random order, the one to avoid last."""
        known = list({*self._slots.nodes, *self.seeds})
        random.shuffle(known)
        return sorted(known, key=lambda address: address == avoiding)

    def _connection(self, address: RedisAddress) -> SharedConnection:
        connection = self._connections.get(address)
        if connection is None:
            connection = self._connections[address] = SharedConnection(
                address,
                reply_timeout=self._reply_timeout,
                connect_timeout=self._connect_timeout,
                circuit=None if self._circuits is None else self._circuits(f"redis:{address}", SILENCE),
            )
        return connection

    def _redirected(self, redirection: driver.AskError, asked: RedisAddress) -> RedisAddress:
        # An empty host means the host of the node that replied.
        return dataclasses.replace(asked, host=redirection.host or asked.host, port=redirection.port)


def _first_key(command: Sequence[bytes | str | int]) -> bytes:
    key = command[3] if command[0] in {"EVALSHA", "EVAL"} else command[1]
    return key if isinstance(key, bytes) else str(key).encode()


def _raise_no_master(slot: int) -> NoReturn:
    raise driver.ClusterDownError(f"slot {slot} has no master")
