"""Keep in Redis which people are connected to this process, so that writers find their connections.

Who is registered and was away is announced as online in the same step (see `channels.bus.presence_store`).

One task writes, so that a registration and its undoing can never overtake each other; what it writes
is not what was asked for but what is true at the moment of writing, so that late requests do no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from channels.bus.addressing import (
    last_seen_key,
    presence_channel_prefix,
    present_key,
    registry_key,
    user_field,
)
from channels.bus.envelope import PRESENCE_HEADER
from channels.bus.redis_client import RedisClient, Script, live_errors
from channels.contract.errors import LiveUnavailableError

log = structlog.get_logger(__name__)

_CHUNK = 1000  # people a script call: about 2 ms of the engine's time
_RETRY_SECONDS = 0.5


@dataclass(slots=True)
class _Request:
    user_ids: Sequence[int]
    done: asyncio.Future[set[int]] | None


class Registry:
    """Register people at this process; `is_connected` tells whether a person is connected right now.

    `joined` is told of how many people it was announced that they are online.
    """

    def __init__(
        self,
        redis: RedisClient,
        process_id: bytes,
        group_of: Callable[[int], int],
        is_connected: Callable[[int], bool],
        *,
        on_online: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._process_id = process_id
        self._group_of = group_of
        self._is_connected = is_connected
        self._on_online = on_online
        self._script = Script(redis, "registry.lua")
        self._requests: list[_Request] = []
        self._requested = asyncio.Event()
        # Whether a write failed that may yet be carried out, after one that was asked for later.
        self.uncertain = False

    async def register(self, user_ids: Sequence[int]) -> set[int]:
        """Make sure that these people are found here; return those who were not, until now.

        Raises `LiveUnavailableError`. Who is no longer connected is taken out instead.
        """
        request = _Request(user_ids, asyncio.get_running_loop().create_future())
        self._enqueue(request)
        assert request.done is not None  # noqa: S101 - narrows the type
        return await request.done

    def unregister(self, user_id: int) -> None:
        """Have a person who left taken out soon."""
        self._enqueue(_Request([user_id], None))

    async def run(self) -> None:
        """Write what is asked for, until cancelled."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            requests, self._requests = self._requests, []
            try:
                added = await self._write({user_id for request in requests for user_id in self._users_of(request)})
            except LiveUnavailableError as error:
                self._fail(requests, error)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                for request in requests:
                    if request.done is not None and not request.done.done():
                        request.done.set_result(added.intersection(request.user_ids))

    async def unregister_all(self, user_ids: Iterable[int]) -> None:
        """Take these people out, whatever is true; called once, when the process stops."""
        with live_errors():
            for group, members in self._by_group(user_ids).items():
                await self._run_script(group, members, "-" * len(members))

    def _users_of(self, request: _Request) -> Iterable[int]:
        """Return whom a request is still about: who left and is back has a request of their own, which is answered."""
        return (user_id for user_id in request.user_ids if request.done is not None or not self._is_connected(user_id))

    def _enqueue(self, request: _Request) -> None:
        self._requests.append(request)
        self._requested.set()

    def _fail(self, requests: list[_Request], error: LiveUnavailableError) -> None:
        self.uncertain = True
        for request in requests:
            if request.done is None:
                self._enqueue(request)
            elif not request.done.done():
                request.done.set_exception(error)

    async def _write(self, user_ids: set[int]) -> set[int]:
        added: set[int] = set()
        chunks = [
            (group, members[start : start + _CHUNK])
            for group, members in self._by_group(user_ids).items()
            for start in range(0, len(members), _CHUNK)
        ]
        with live_errors():
            writes = [self._run_script(group, chunk, self._flags(chunk)) for group, chunk in chunks]
            # All of them are over before anything else is written, also where one of them failed.
            for found in await asyncio.gather(*writes, return_exceptions=True):
                if isinstance(found, BaseException):
                    raise found
                added.update(found)
        return added

    def _flags(self, user_ids: list[int]) -> str:
        return "".join("+" if self._is_connected(user_id) else "-" for user_id in user_ids)

    async def _run_script(self, group: int, user_ids: list[int], flags: str) -> list[int]:
        keys = [registry_key(group), present_key(group), last_seen_key(group)]
        arguments: list[Any] = [self._process_id, flags, presence_channel_prefix(group), PRESENCE_HEADER]
        added, online = await self._script(keys=keys, args=[*arguments, *map(user_field, user_ids)])
        if online:
            self._on_online(online)
        return [user_ids[position - 1] for position in added]

    def _by_group(self, user_ids: Iterable[int]) -> dict[int, list[int]]:
        groups: dict[int, list[int]] = {}
        for user_id in user_ids:
            groups.setdefault(self._group_of(user_id), []).append(user_id)
        return groups
