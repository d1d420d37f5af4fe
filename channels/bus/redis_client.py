"""What the live layer needs of Redis, be it one server or a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, Protocol

from redis.exceptions import NoScriptError, RedisError

from channels.contract.errors import LiveUnavailableError


class MessageListener(Protocol):
    """What is told of a connection's messages; every method returns at once."""

    def message_received(self, message: Any, *, more: bool) -> None:
        """Take what the server said, be it an error; with `more`, it said something else that follows at once."""
        ...

    def connection_lost(self, error: Exception) -> None:
        """Learn that nothing is heard any more, and why."""
        ...


class Subscriber(Protocol):
    """A connection on which nobody waits for answers: all that comes is heard."""

    def send_command(self, *command: bytes | str | int) -> None:
        """Send a command; raise the driver's `ConnectionError` when the connection has ended."""
        ...

    async def close(self) -> None:
        """End the connection."""
        ...


class RedisClient(Protocol):
    """A client of one server, or of a cluster, where each channel has a slot and lies on the master that owns it.

    Its methods raise the driver's errors.
    """

    @property
    def sharded(self) -> bool:
        """Tell whether it is a cluster: then channels are published to with SPUBLISH and heard with SSUBSCRIBE."""
        ...

    async def execute_command(self, *command: Any) -> Any:
        """Run a command where its first key or its channel lies."""
        ...

    async def refresh_slots(self) -> None:
        """Learn anew which server each slot lies on."""
        ...

    def reconnect(self) -> None:
        """Open other connections for the commands to come, since those that stand may be dead and not told so."""
        ...

    def server_of(self, name: bytes) -> Hashable:
        """Return the server on which a key or channel lies, as far as it is known; returns at once."""
        ...

    async def subscriber(self, server: Any, listener: MessageListener) -> Subscriber:
        """Open a connection that tells `listener` what it hears at a server."""
        ...


@contextmanager
def live_errors() -> Iterator[None]:
    """Turn errors of the driver and of the network into `LiveUnavailableError`."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise LiveUnavailableError(f"redis does not answer: {error}") from error


async def publish(redis: RedisClient, channel: bytes, message: bytes) -> int:
    """Publish to a channel that live processes hear, and return how many do."""
    return int(await redis.execute_command("SPUBLISH" if redis.sharded else "PUBLISH", channel, message))


def delivery_source(*, sharded: bool) -> str:
    """Return the Lua text that defines `deliver` (see `scripts/deliver.lua`), for scripts outside this package.

    With it a script changes its own data and publishes the change in one atomic step.
    """
    return _joined(_publish_fragment(sharded=sharded), "deliver.lua")


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
