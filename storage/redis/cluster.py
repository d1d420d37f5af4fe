"""The shared connections to a Redis Cluster: one to each master, and each command to the one that has its slot.

The slot map is asked for when a command first needs it, and again whenever an answer or a lost connection shows that it
is out of date.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Sequence
from typing import Any, NoReturn

import redis.exceptions as driver
from redis.crc import key_slot

from storage.redis.connection import RedisAddress
from storage.redis.shared_connection import SharedConnection
from storage.redis.slots import SlotMap

_REDIRECTIONS = 8  # answers "elsewhere" or "in a moment" that one command follows
_PAUSE = 0.05  # seconds before a command whose keys are just being moved is tried again
_FRESH = 0.1  # seconds for which a slot map is not asked for again
_ANY_SERVER = frozenset({"PING", "INFO", "TIME", "CLUSTER", "CONFIG", "CLIENT"})
_EVERY_SERVER = frozenset({"FLUSHALL", "SCRIPT"})


class ClusterConnections:
    """Connections like `SharedConnection`'s, with its guarantees; `seeds` are nodes to ask first, timeouts are seconds.

    A command is sent by its first key. One whose connection is lost goes once to the slot's new master, if there is
    one; one whose answer is late is not repeated.
    """

    sharded = True

    def __init__(self, seeds: Sequence[RedisAddress], *, answer_timeout: float, connect_timeout: float) -> None:
        self.seeds = seeds
        self._timeouts = {"answer_timeout": answer_timeout, "connect_timeout": connect_timeout}
        self._links: dict[RedisAddress, SharedConnection] = {}
        self._slots = SlotMap([], seeds[0])
        self._asked_at = -_FRESH
        self._asking: asyncio.Task[None] | None = None

    async def call(self, *command: bytes | str | int) -> Any:
        """Send a command and return its answer, bytes within; raise what Redis refused or why it did not answer."""
        name = command[0]
        if name in _ANY_SERVER:
            return await self._call_any(command)
        if name in _EVERY_SERVER:
            answers = (await self.each(*command)).values()
            for answer in answers:
                if isinstance(answer, driver.RedisError):
                    raise answer
            return next(iter(answers))
        return await self._call_slot(self.slot_of(_first_key(command)), command)

    async def each(self, *command: bytes | str | int) -> dict[RedisAddress, Any]:
        """Send a command to every master and return the answers; an error is an answer here."""
        await self.refresh()
        masters = self._slots.masters
        answers = await asyncio.gather(
            *(self._link(master).call(*command) for master in masters), return_exceptions=True
        )
        return dict(zip(masters, answers, strict=True))

    async def refresh(self) -> None:
        """Ask for the slot map, unless that was done a moment ago; all who want it at once wait for one answer."""
        await self._refresh(avoiding=None)

    def reconnect(self) -> None:
        """Open other connections for the commands to come; see `SharedConnection.reconnect`."""
        for link in self._links.values():
            link.reconnect()

    def slot_of(self, key: bytes) -> int:
        """Return the slot of a key or channel; one command may name keys of one slot only."""
        return key_slot(key)

    def server_of(self, name: bytes) -> RedisAddress:
        """Return the master on which a key or channel lies as far as is known; raise `ClusterDownError`."""
        slot = self.slot_of(name)
        return self._slots.master_of(slot) or _down(slot)

    async def close(self) -> None:
        """Close all connections."""
        if self._asking is not None:
            self._asking.cancel()
        await asyncio.gather(*(link.close() for link in self._links.values()))

    async def _call_slot(self, slot: int, command: Sequence[bytes | str | int]) -> Any:
        address, asking = await self._master_of(slot), False
        for _ in range(_REDIRECTIONS):
            link = self._link(address)
            try:
                return await (link.ask if asking else link.call)(*command)
            except driver.MovedError as moved:
                address, asking = self._place(moved, address), False
                self._heed_promotions([address])
                self._slots.move(slot, address)
                await self._refresh(avoiding=None)
            except driver.AskError as elsewhere:
                address, asking = self._place(elsewhere, address), True
            except driver.TryAgainError:
                await asyncio.sleep(_PAUSE)
            except (driver.ConnectionError, driver.TimeoutError) as error:
                await self._refresh(avoiding=address)
                gone, address, asking = address, await self._master_of(slot), False
                if address == gone or isinstance(error, driver.TimeoutError):
                    raise
        raise driver.ClusterError(f"slot {slot} did not come to rest")

    async def _call_any(self, command: Sequence[bytes | str | int]) -> Any:
        trouble: driver.RedisError | None = None
        for address in self._known(avoiding=None):
            try:
                return await self._link(address).call(*command)
            except (driver.ConnectionError, driver.TimeoutError) as error:
                trouble = error
        raise driver.ConnectionError(f"no node of the cluster answers: {trouble}") from trouble

    async def _master_of(self, slot: int) -> RedisAddress:
        master = self._slots.master_of(slot)
        if master is None:
            await self._refresh(avoiding=None)
            master = self._slots.master_of(slot) or _down(slot)
        return master

    async def _refresh(self, *, avoiding: RedisAddress | None) -> None:
        if asyncio.get_running_loop().time() - self._asked_at < _FRESH:
            return
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(avoiding))
            self._asking.add_done_callback(self._asked)
        # Shielded: a caller who gives up does not take the answer from the others.
        await asyncio.shield(self._asking)

    async def _ask(self, avoiding: RedisAddress | None) -> None:
        trouble: driver.RedisError | None = None
        for address in self._known(avoiding=avoiding):
            try:
                found = SlotMap(await self._link(address).call("CLUSTER", "SLOTS"), address)
            except (driver.ConnectionError, driver.TimeoutError) as error:
                trouble = error
            else:
                if self._slots.masters:
                    self._heed_promotions(found.masters)
                self._slots, self._asked_at = found, asyncio.get_running_loop().time()
                return
        raise driver.ConnectionError(f"no node of the cluster answers: {trouble}") from trouble

    def _heed_promotions(self, masters: Sequence[RedisAddress]) -> None:
        """Open another connection to a replica that has become a master: only then is its run looked at."""
        for address in masters:
            if address not in self._slots.masters and address in self._links:
                self._links[address].reconnect()

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking = None
        if not task.cancelled():
            task.exception()  # whoever waits has it; perhaps nobody does any more

    def _known(self, *, avoiding: RedisAddress | None) -> list[RedisAddress]:
        """Return all nodes that are known, in any order, one to avoid last."""
        known = list({*self._slots.nodes, *self.seeds})
        random.shuffle(known)
        return sorted(known, key=lambda address: address == avoiding)

    def _link(self, address: RedisAddress) -> SharedConnection:
        link = self._links.get(address)
        if link is None:
            link = self._links[address] = SharedConnection(address, **self._timeouts)
        return link

    def _place(self, elsewhere: driver.AskError, asked: RedisAddress) -> RedisAddress:
        return dataclasses.replace(asked, host=elsewhere.host or asked.host, port=elsewhere.port)


def _first_key(command: Sequence[bytes | str | int]) -> bytes:
    key = command[3] if command[0] in {"EVALSHA", "EVAL"} else command[1]
    return key if isinstance(key, bytes) else str(key).encode()


def _down(slot: int) -> NoReturn:
    raise driver.ClusterDownError(f"slot {slot} has no master")
