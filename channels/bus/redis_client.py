"""Port of the Redis client that the live layer needs, for one server or a cluster, and scripts over it."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, Protocol

from redis.exceptions import NoScriptError, RedisError

from channels.contract.errors import LiveUnavailableError


class MessageListener(Protocol):
    """Callbacks of a subscriber connection; none may block."""

    def message_received(self, message: Any, *, more: bool) -> None:
        """Handle a message or an error of the server; with `more`, another one follows at once."""
        ...

    def connection_lost(self, error: Exception) -> None:
        """Handle the end of the connection; called once, last."""
        ...


class Subscriber(Protocol):
    """A connection in push mode: everything that the server sends goes to the listener."""

    def send_command(self, *command: bytes | str | int) -> None:
        """Send a command; raise the driver's `ConnectionError` when the connection has ended."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class RedisClient(Protocol):
    """A client of one server, or of a cluster, in which a channel belongs to the master that owns its slot.

    Its methods raise the driver's errors.
    """

    @property
    def sharded(self) -> bool:
        """Return whether this is a cluster, which needs SPUBLISH and SSUBSCRIBE (sharded pub/sub)."""
        ...

    async def execute_command(self, *command: Any) -> Any:
        """Run a command on the server of its first key or channel."""
        ...

    async def refresh_slots(self) -> None:
        """Read again which server owns each slot."""
        ...

    def reconnect(self) -> None:
        """Use new connections for further commands, since the present ones may be dead without notice."""
        ...

    def server_of(self, name: bytes) -> Hashable:
        """Return the server of a key or channel by the slots last read; must not block."""
        ...

    async def subscriber(self, server: Any, listener: MessageListener) -> Subscriber:
        """Open a connection to a server whose messages go to `listener`."""
        ...


@contextmanager
def live_errors() -> Iterator[None]:
    """Turn errors of the driver and of the network into `LiveUnavailableError`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise LiveUnavailableError(f"redis is unavailable: {error}") from error


async def publish(redis: RedisClient, channel: bytes, message: bytes) -> int:
    """Publish to a channel; return how many processes received it."""
    return int(await redis.execute_command("SPUBLISH" if redis.sharded else "PUBLISH", channel, message))


def delivery_source(*, sharded: bool) -> str:
    """Return the Lua text that defines `deliver` and `broadcast` (see `scripts`), for scripts outside this package.

    With it a script changes its own data and publishes the change in one atomic step.
    """
    return _joined(_publish_fragment(sharded=sharded), "deliver.lua", "broadcast.lua")


class Script:
    """A Lua script of this package, joined from fragments and run by its digest where its first key lies.

    `publish` is defined in every script and uses PUBLISH or SPUBLISH as the server requires.
    """

    def __init__(self, redis: RedisClient, *fragments: str) -> None:
        self._redis = redis
        self._source = _joined(_publish_fragment(sharded=redis.sharded), *fragments).encode()
        self._digest = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()

    async def __call__(self, *, keys: Sequence[bytes], args: Sequence[Any]) -> Any:
        """Run the script; send its text if the server does not know the digest yet."""
        try:
            return await self._redis.execute_command("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return await self._redis.execute_command("EVAL", self._source, len(keys), *keys, *args)


def _publish_fragment(*, sharded: bool) -> str:
    return "spublish.lua" if sharded else "publish.lua"


def _joined(*fragments: str) -> str:
    folder = resources.files("channels.bus") / "scripts"
    return "\n".join((folder / fragment).read_text("utf-8") for fragment in fragments)
