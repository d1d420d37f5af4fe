"""Keep in Redis which people are connected to this process, so that writers find their connections.

One task writes, so that a registration and its undoing can never overtake each other; what it writes
is not what was asked for but what is true at the moment of writing, so that late requests do no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from channels.bus.addressing import heartbeat_key, registry_key, user_field
from channels.bus.engine import Engine, Script
from channels.bus.redis_errors import live_errors
from channels.cancellation import heed_cancellation
from channels.errors import LiveUnavailableError

log = structlog.get_logger(__name__)

_CHUNK = 1000  # people a script call: about 2 ms of the engine's time
_RETRY_SECONDS = 0.5


@dataclass(slots=True)
class _Request:
    user_ids: Sequence[int]
    done: asyncio.Future[set[int]] | None


class Registry:
    """Register people at this process; `is_here` tells whether a person is connected right now."""

    def __init__(
        self, redis: Engine, process_id: bytes, group_of: Callable[[int], int], is_here: Callable[[int], bool]
    ) -> None:
        self._redis = redis
        self._process_id = process_id
        self._group_of = group_of
        self._is_here = is_here
        self._script = Script(redis, "registry.lua")
        self._requests: list[_Request] = []
        self._asked = asyncio.Event()

    async def register(self, user_ids: Sequence[int]) -> set[int]:
        """Make sure that these people are found here; return those who were not, until now.

        Raises `LiveUnavailableError`. Who is no longer connected is taken out instead.
        """
        request = _Request(user_ids, asyncio.get_running_loop().create_future())
        self._ask(request)
        assert request.done is not None  # noqa: S101 - narrows the type
        return await request.done

    def release(self, user_id: int) -> None:
        """Have a person who left taken out soon."""
        self._ask(_Request([user_id], None))

    async def run(self) -> None:
        """Write what is asked for, until cancelled."""
        while True:
            heed_cancellation()
            await self._asked.wait()
            self._asked.clear()
            requests, self._requests = self._requests, []
            try:
                added = await self._write({user_id for request in requests for user_id in request.user_ids})
            except LiveUnavailableError as error:
                self._fail(requests, error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                for request in requests:
                    if request.done is not None and not request.done.done():
                        request.done.set_result(added.intersection(request.user_ids))

    async def beat(self, connections: int, *, seconds: float) -> None:
        """Say for the next `seconds` that this process lives, and how many connections it holds."""
        with live_errors():
            life = ("PX", int(seconds * 1000))
            await self._redis.execute_command("SET", heartbeat_key(self._process_id), connections, *life)

    async def withdraw(self, user_ids: Iterable[int]) -> None:
        """Take these people and this process out, whatever is true; called once, when the process stops."""
        with live_errors():
            for group, members in self._by_group(user_ids).items():
                await self._edit(group, members, "-" * len(members))
            await self._redis.execute_command("DEL", heartbeat_key(self._process_id))

    def _ask(self, request: _Request) -> None:
        self._requests.append(request)
        self._asked.set()

    def _fail(self, requests: list[_Request], error: LiveUnavailableError) -> None:
        for request in requests:
            if request.done is None:
                self._ask(request)
            elif not request.done.done():
                request.done.set_exception(error)

    async def _write(self, user_ids: set[int]) -> set[int]:
        added: set[int] = set()
        with live_errors():
            for group, members in self._by_group(user_ids).items():
                for start in range(0, len(members), _CHUNK):
                    chunk = members[start : start + _CHUNK]
                    flags = "".join("+" if self._is_here(user_id) else "-" for user_id in chunk)
                    added.update(await self._edit(group, chunk, flags))
        return added

    async def _edit(self, group: int, user_ids: list[int], flags: str) -> list[int]:
        arguments: list[Any] = [self._process_id, flags, *map(user_field, user_ids)]
        news: list[int] = await self._script(keys=[registry_key(group)], args=arguments)
        return [user_ids[position - 1] for position in news]

    def _by_group(self, user_ids: Iterable[int]) -> dict[int, list[int]]:
        groups: dict[int, list[int]] = {}
        for user_id in user_ids:
            groups.setdefault(self._group_of(user_id), []).append(user_id)
        return groups
