"""Lua scripts, run by their digest; a server that does not know a script is sent its text."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from storage.redis.client import Redis, redis_errors

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
        """Run the script; raise `UnavailableError`, or `StorageError` if the script fails."""
        with redis_errors():
            try:
                return await redis.execute_command("EVALSHA", self._digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await redis.execute_command("EVAL", self._source, len(keys), *keys, *arguments)

    async def run_many(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        """Run the script once for each call, concurrently; each call is atomic, all of them together are not."""
        if len(calls) == 1:
            return [await self.run(redis, *calls[0])]
        return await asyncio.gather(*(self.run(redis, keys, arguments) for keys, arguments in calls))


def source(fragment: str) -> str:
    """Return the Lua text of a fragment, named as in `Script`."""
    package, name = fragment.split("/")
    return (resources.files("storage") / package / "lua" / f"{name}.lua").read_text("utf-8")
