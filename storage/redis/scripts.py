"""Lua scripts, run by their digest; a server that does not know a script yet is sent its source."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from storage.redis.client import Redis, execute, redis_errors

Argument: TypeAlias = bytes | str | int
Call: TypeAlias = tuple[Sequence[bytes], Sequence[Argument]]


class Script:
    """A script joined from fragments in the given order, so that scripts share functions.

    A fragment is named by its package and file: `"feeds/log"` is `storage/feeds/lua/log.lua`. `prelude` is Lua text
    from another package; it comes first.
    """

    def __init__(self, *fragments: str, prelude: str = "") -> None:
        self._source = "\n".join([prelude, *map(source, fragments)]).encode()
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


def source(fragment: str) -> str:
    """Return the Lua text of a fragment, named as in `Script`."""
    package, name = fragment.split("/")
    return (resources.files("storage") / package / "lua" / f"{name}.lua").read_text("utf-8")
