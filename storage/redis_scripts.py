"""Lua scripts: read from `storage/scripts`, run by their digest, and loaded again by themselves after a restart."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from storage.redis_client import Redis, execute, redis_errors

Argument: TypeAlias = bytes | str | int
Call: TypeAlias = tuple[Sequence[bytes], Sequence[Argument]]


class Script:
    """One script; several files are joined in order, so that scripts share functions written once."""

    def __init__(self, *names: str) -> None:
        folder = resources.files("storage") / "scripts"
        self._source = "\n".join((folder / f"{name}.lua").read_text("utf-8") for name in names).encode()
        self._digest = hashlib.sha1(self._source, usedforsecurity=False).hexdigest()

    async def run(self, redis: Redis, keys: Sequence[bytes], arguments: Sequence[Argument]) -> Any:
        """Run the script on `keys`; raise `UnavailableError`, or `StorageError` where the script itself fails."""
        with redis_errors():
            try:
                return await execute(redis, "EVALSHA", self._digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await execute(redis, "EVAL", self._source, len(keys), *keys, *arguments)

    async def run_many(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        """Run the script once for each call, together; each call is atomic by itself, all are not."""
        if len(calls) == 1:
            return [await self.run(redis, *calls[0])]
        return await asyncio.gather(*(self.run(redis, keys, arguments) for keys, arguments in calls))
