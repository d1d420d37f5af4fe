"""The parts of Redis and of the stores that the live layer uses, in memory; a test decides which replies arrive.

Logs, registry and subscriptions behave as with the scripts. A reply takes a few turns of the event loop. While the
engine is `down` it is an error, although the command may have been executed, or will be later.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from channels.bus.addressing import channel_prefix
from channels.bus.envelope import encode_envelope, stream_body
from channels.contract.errors import LiveUnavailableError
from channels.contract.ports import Position, Publication, Recovery
from tests.support.virtual_loop import turns

GROUPS = 2
WINDOW = 6  # entries that a log retains


def group_of(user_id: int) -> int:
    """Return a user's slot group."""
    return user_id % GROUPS


@dataclass
class Log:
    """A stream in the engine; what is at or below `floor` cannot be recovered any more."""

    epoch: str
    floor: int
    top: int
    entries: list[Publication] = field(default_factory=list)


class MemoryEngine:
    """One Redis and one PostgreSQL; `truth` is PostgreSQL's state of each stream, and is never lost.

    `flaws` is the share of commands whose reply is lost although the engine is up.
    """

    def __init__(self, seed: int, *, flaws: float = 0.03) -> None:
        self.down = False
        self.truth: dict[tuple[int, str], int] = {}
        self.registry: dict[int, list[bytes]] = {}
        self.subscribers: dict[bytes, deque[tuple[bytes, bytes]]] = {}
        self._logs: dict[tuple[int, str], Log] = {}
        self._clock = itertools.count(1)
        self._random = random.Random(seed)
        self._flaws = flaws

    def insert(self, user_id: int, stream: str) -> None:
        """Append the next number to a stream and publish it in the same step, as the inserting script does."""
        if self.down:
            return
        number = self.truth[user_id, stream] = self.truth.get((user_id, stream), 0) + 1
        item = Publication(data=b"%d" % number, offset=next(self._clock))
        log = self._logs.get((user_id, stream))
        if log is not None:
            log.entries.append(item)
            log.top = item.offset
            if len(log.entries) > WINDOW:
                log.floor = log.entries.pop(0).offset
        message = encode_envelope([user_id], stream_body(stream, item.data), offset=item.offset)
        for process in list(self.registry.get(user_id, ())):
            inbox = self.subscribers.get(process)
            if inbox is None:
                self.unregister(user_id, process)
            else:
                inbox.append((channel_prefix(group_of(user_id)) + process, message))

    def flush(self) -> None:
        """Remove everything but the subscriptions."""
        self._logs.clear()
        self.registry.clear()

    def unregister(self, user_id: int, process: bytes) -> None:
        """Remove a process from a user's registration."""
        self.registry[user_id].remove(process)
        if not self.registry[user_id]:
            del self.registry[user_id]

    async def reply(self, effect: Callable[[], Any]) -> Any:
        """Execute an effect after a few turns; raise the driver's error if no reply arrives."""
        await turns(self._random.randrange(4))
        if self.down:
            if self._random.random() < 0.3:  # it is buffered somewhere, and arrives unexpectedly
                asyncio.get_running_loop().call_later(self._random.random() * 6, effect)
            raise RedisConnectionError("down")
        result = effect()
        await turns(self._random.randrange(4))
        if self.down or self._random.random() < self._flaws:
            raise RedisConnectionError("the reply was lost")
        return result

    def end(self, user_id: int, stream: str) -> Position:
        """Return the end of a stream, which begins a new epoch if it does not exist."""
        log = self._log(user_id, stream)
        return Position(epoch=log.epoch, offset=log.top)

    def since(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return the publications after a position."""
        log = self._log(user_id, stream)
        recovered = since.epoch == log.epoch and log.floor <= since.offset <= log.top
        newer = tuple(item for item in log.entries if item.offset > since.offset) if recovered else ()
        return Recovery(recovered=recovered, publications=newer, position=self.end(user_id, stream))

    def _log(self, user_id: int, stream: str) -> Log:
        key = (user_id, stream)
        if key not in self._logs:
            begin = next(self._clock)
            self._logs[key] = Log(epoch=str(begin), floor=begin, top=begin)
        return self._logs[key]


class EngineStreams:
    """The port of streams on a memory engine."""

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    async def position(self, user_id: int, stream: str) -> Position:
        """Return the end of a stream."""
        position: Position = await self._ask(lambda: self._engine.end(user_id, stream))
        return position

    async def recover(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return the publications after a position."""
        recovery: Recovery = await self._ask(lambda: self._engine.since(user_id, stream, since))
        return recovery

    async def stars(self, user_id: int) -> Collection[int]:
        """Return none: no user of the model follows a star."""
        del user_id
        return ()

    async def history(self, user_id: int, stream: str, limit: int, *, newest: bool) -> Recovery:
        """Not used."""
        raise NotImplementedError

    async def _ask(self, effect: Callable[[], Any]) -> Any:
        try:
            return await self._engine.reply(effect)
        except RedisConnectionError as error:
            raise LiveUnavailableError(str(error)) from error


class EngineRedis:
    """The engine's client as the registry uses it."""

    sharded = False

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    async def execute_command(self, *command: Any) -> tuple[list[int], int]:
        """Run the registry's script, which publishes no presence here."""
        keys = command[2]
        process, flags, _prefix, _head, *fields = command[3 + keys :]
        user_ids = [int.from_bytes(field, "big") for field in fields]
        added: list[int] = await self._engine.reply(lambda: self._edit(process, flags, user_ids))
        return added, 0

    def _edit(self, process: bytes, flags: str, user_ids: Sequence[int]) -> list[int]:
        added = []
        for position, (flag, user_id) in enumerate(zip(flags, user_ids, strict=True), 1):
            processes = self._engine.registry.get(user_id, [])
            if flag == "+" and process not in processes:
                self._engine.registry[user_id] = [*processes, process]
                added.append(position)
            elif flag == "-" and process in processes:
                self._engine.unregister(user_id, process)
        return added
