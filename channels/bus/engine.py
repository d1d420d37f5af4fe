"""What the live layer needs of Redis, be it one server or a cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from importlib import resources
from typing import Any, Protocol

from redis.exceptions import NoScriptError


class Engine(Protocol):
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

    async def locate(self) -> None:
        """Learn anew which server each slot lies on."""
        ...

    def renew(self) -> None:
        """Open other connections for the commands to come, since those that stand may be dead and not told so."""
        ...

    def server_of(self, name: bytes) -> Hashable:
        """Return the server on which a key or channel lies, as far as it is known; returns at once."""
        ...

    def connection_to(self, server: Any) -> Any:
        """Return a connection of the driver to a server, not yet opened."""
        ...


async def publish(engine: Engine, channel: bytes, message: bytes) -> int:
    """Publish to a channel that live processes hear, and return how many do."""
    return int(await engine.execute_command("SPUBLISH" if engine.sharded else "PUBLISH", channel, message))


class Script:
    """A script of this package, run by its digest where its first key lies; `publish` in it does what ours does."""

    def __init__(self, engine: Engine, name: str) -> None:
        folder = resources.files("channels.bus") / "scripts"
        names = ("spublish.lua" if engine.sharded else "publish.lua", name)
        self._engine = engine
        self._source = b"\n".join((folder / each).read_bytes() for each in names)
        self._digest = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()

    async def __call__(self, *, keys: Sequence[bytes], args: Sequence[Any]) -> Any:
        """Run the script; a server that does not know it yet is given it."""
        try:
            return await self._engine.execute_command("EVALSHA", self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return await self._engine.execute_command("EVAL", self._source, len(keys), *keys, *args)
