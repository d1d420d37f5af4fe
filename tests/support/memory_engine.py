"""What the live layer uses of Redis and of the stores, in memory, with the fate of answers in a test's hands.

Logs, registry and subscriptions behave as the scripts make them; an answer takes a few turns of the event loop, and
while the engine is `down` it is an error, although the command may have been carried out, or will be later.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError

from channels.bus.addressing import channel_prefix
from channels.bus.envelope import encode_envelope, stream_body
from channels.contract.errors import LiveUnavailableError
from channels.contract.ports import Position, Publication, Recovery
from tests.support.virtual_loop import turns

GROUPS = 2
WINDOW = 6  # entries a log keeps


def group_of(user_id: int) -> int:
    """Return a person's slot group."""
    return user_id % GROUPS


@dataclass
class Log:
    """A stream as the engine keeps it: what stands at or below `floor` cannot be told any more."""

    epoch: str
    floor: int
    top: int
    entries: list[Publication] = field(default_factory=list)


class MemoryEngine:
    """One Redis and one PostgreSQL: `truth` is what the latter knows of each stream, and is never lost.

    `flaws` is the share of commands whose answer is lost although nothing is the matter.
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
        """Append the next number to a stream and announce it in the same step, as the inserting script does."""
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
        """Forget everything but who is subscribed."""
        self._logs.clear()
        self.registry.clear()

    def unregister(self, user_id: int, process: bytes) -> None:
        """Take a process out of a person's processes."""
        self.registry[user_id].remove(process)
        if not self.registry[user_id]:
            del self.registry[user_id]

    async def answer(self, effect: Callable[[], Any]) -> Any:
        """Carry something out in the time it takes; raise the driver's error when no answer comes."""
        await turns(self._random.randrange(4))
        if self.down:
            if self._random.random() < 0.3:  # it lies in some buffer, and arrives when nobody expects it
                asyncio.get_running_loop().call_later(self._random.random() * 6, effect)
            raise RedisConnectionError("down")
        result = effect()
        await turns(self._random.randrange(4))
        if self.down or self._random.random() < self._flaws:
            raise RedisConnectionError("the answer was lost")
        return result

    def end(self, user_id: int, stream: str) -> Position:
        """Return where a stream stands, which begins anew when it is not there."""
        log = self._log(user_id, stream)
        return Position(epoch=log.epoch, offset=log.top)

    def since(self, user_id: int, stream: str, since: Position) -> Recovery:
        """Return what came after a position."""
        log = self._log(user_id, stream)
        told = since.epoch == log.epoch and log.floor <= since.offset <= log.top
        newer = tuple(item for item in log.entries if item.offset > since.offset) if told else ()
        return Recovery(recovered=told, publications=newer, position=self.end(user_id, stream))

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
        """Return what came after a position."""
        recovery: Recovery = await self._ask(lambda: self._engine.since(user_id, stream, since))
        return recovery

    async def history(self, user_id: int, stream: str, limit: int, *, newest: bool) -> Recovery:
        """Nobody asks here."""
        raise NotImplementedError

    async def _ask(self, effect: Callable[[], Any]) -> Any:
        try:
            return await self._engine.answer(effect)
        except RedisConnectionError as error:
            raise LiveUnavailableError(str(error)) from error


class EngineRedis:
    """The engine's client as the registry sees it, on a memory engine."""

    sharded = False

    def __init__(self, engine: MemoryEngine) -> None:
        self._engine = engine

    async def execute_command(self, *command: Any) -> tuple[list[int], int]:
        """Run the registry's script, which announces nobody here."""
        keys = command[2]
        process, flags, _prefix, _head, *fields = command[3 + keys :]
        people = [int.from_bytes(field, "big") for field in fields]
        news: list[int] = await self._engine.answer(lambda: self._edit(process, flags, people))
        return news, 0

    def _edit(self, process: bytes, flags: str, people: Sequence[int]) -> list[int]:
        news = []
        for position, (flag, user_id) in enumerate(zip(flags, people, strict=True), 1):
            processes = self._engine.registry.get(user_id, [])
            if flag == "+" and process not in processes:
                self._engine.registry[user_id] = [*processes, process]
                news.append(position)
            elif flag == "-" and process in processes:
                self._engine.unregister(user_id, process)
        return news
