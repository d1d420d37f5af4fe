"""Registration of users at this process in Redis, by which writers find the users' connections.

A user who was offline is announced as online in the same step (see `channels.bus.presence_store`).

One task writes, so that a registration and its removal cannot overtake each other. It writes whether a user is
connected at the moment of writing, not what was requested, so a late request does no harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

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

_CHUNK = 1000  # users per script call: about 2 ms of Redis' time
_RETRY_SECONDS = 0.5


@dataclass(slots=True)
class _Request:
    user_ids: Sequence[int]
    done: asyncio.Future[set[int]] | None


class Registry:
    """The registrations of this process; `is_connected` returns whether a user has a connection here right now.

    `on_online` is called with the number of users who were announced as online.
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
        # Set when a write failed: Redis may still carry it out, even after a later write. The registrations then have
        # to be written once more.
        self.uncertain = False

    async def register(self, user_ids: Sequence[int]) -> set[int]:
        """Register these users; return those who were not registered before.

        Users who are no longer connected are removed instead. Raises `LiveUnavailableError`.
        """
        request = _Request(user_ids, asyncio.get_running_loop().create_future())
        self._enqueue(request)
        assert request.done is not None  # noqa: S101 - narrows the type
        return await request.done

    def unregister(self, user_id: int) -> None:
        """Schedule the removal of a user whose last connection has ended."""
        self._enqueue(_Request([user_id], None))

    async def run(self) -> None:
        """Write the requested registrations until cancelled."""
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
        """Remove these users whether or not they are connected; called once, when the process stops."""
        with live_errors():
            for group, members in self._by_group(user_ids).items():
                await self._run_script(group, members, "-" * len(members))

    def _users_of(self, request: _Request) -> Iterable[int]:
        """Return the users that a request still concerns."""
        # A removal leaves out users who are back. They have a registration request of their own, and only that one
        # may learn that they had been missing.
        return (user_id for user_id in request.user_ids if request.done is not None or not self._is_connected(user_id))

    def _enqueue(self, request: _Request) -> None:
        self._requests.append(request)
        self._requested.set()

    def _fail(self, requests: list[_Request], error: LiveUnavailableError) -> None:
        self.uncertain = True
        for request in requests:
            if request.done is None:
                self._enqueue(request)  # nothing waits for a removal, so it is retried here
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
            # Wait for all of them even if one fails: a write must not be under way when the next one begins.
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
        return [user_ids[position - 1] for position in added]  # Lua counts from 1

    def _by_group(self, user_ids: Iterable[int]) -> dict[int, list[int]]:
        groups: dict[int, list[int]] = {}
        for user_id in user_ids:
            groups.setdefault(self._group_of(user_id), []).append(user_id)
        return groups
