"""Lua scripts: read from `storage/scripts`, run by their digest, and loaded again by themselves after a restart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from storage.redis_client import Redis, redis_errors

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
                return await redis.evalsha(self._digest, len(keys), *keys, *arguments)
            except NoScriptError:
                return await redis.eval(self._source, len(keys), *keys, *arguments)

    async def run_many(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        """Run the script once for each call, in one round trip; each call is atomic by itself, all are not."""
        if len(calls) == 1:
            return [await self.run(redis, *calls[0])]
        with redis_errors():
            answers = await self._pipe(redis, calls)
            missed = [index for index, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            if missed:
                await redis.script_load(self._source)
                for index, answer in zip(missed, await self._pipe(redis, [calls[i] for i in missed]), strict=True):
                    answers[index] = answer
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
            return answers

    async def _pipe(self, redis: Redis, calls: Sequence[Call]) -> list[Any]:
        pipeline = redis.pipeline(transaction=False)
        for keys, arguments in calls:
            pipeline.evalsha(self._digest, len(keys), *keys, *arguments)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers
