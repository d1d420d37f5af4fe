"""A pool of decoder processes, so that no image can harm the service.

Each child has bounded memory and a deadline for each image. A child that crashes or stalls is killed and replaced, and
only its image is affected. After a crash the image is decoded once more in a new child before it is rejected, because
the cause may have been another one, such as a lack of memory. At its deadline an image is rejected at once: a second
attempt would take as long. See `workers.images.child` for the other end of the pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from pathlib import Path
from typing import Any, cast

import msgpack
import structlog

from workers.errors import WorkerError
from workers.images.decode import Decoded, ImageRejectedError
from workers.images.limits import DecoderLimits

log = structlog.get_logger(__name__)

START_DEADLINE = 30.0  # seconds until a fresh child must be ready
_MAX_RESPONSE = 64 * 1024 * 1024  # bytes


class DecoderError(WorkerError):
    """No child could be started."""


class _CrashedError(Exception):
    """A child ended while decoding an image, or responded with what is no response; the text says how."""


class _DeadlineError(Exception):
    """A child did not respond in time."""


class Decoder:
    """Pool of children that decode images, started when they are needed or beforehand by `start`."""

    def __init__(self, *, processes: int = 2, limits: DecoderLimits | None = None) -> None:
        self._limits = limits or DecoderLimits()
        self._free = asyncio.Semaphore(processes)
        self._processes = processes
        self._idle: list[_Child] = []

    async def start(self) -> None:
        """Start all children now, so that the first images need not wait for one; raise `DecoderError`."""
        missing = self._processes - len(self._idle)
        self._idle += await asyncio.gather(*(_Child.start(self._limits) for _ in range(missing)))

    async def close(self) -> None:
        """Kill the children; images in progress fail."""
        idle, self._idle = self._idle, []
        for child in idle:
            await child.stop()

    async def variants(self, original: Path) -> Decoded:
        """Return the decoded file `original`.

        Raises `ImageRejectedError` with a reason for the user, `FileNotFoundError`, and `DecoderError` when no child
        can be started.
        """
        async with self._free:
            for attempt in (1, 2):
                try:
                    return await self._once(original)
                except _CrashedError as error:
                    log.warning("decoder_crashed", file=original.name, attempt=attempt, error=str(error))
                except _DeadlineError as error:
                    log.warning("decoder_deadline_reached", file=original.name, error=str(error))
                    raise ImageRejectedError("the picture takes too long to decode") from error
        raise ImageRejectedError("the picture could not be decoded: it makes the decoder fail")

    async def _once(self, original: Path) -> Decoded:
        child = await self._take()
        try:
            response = await child.decode(original, self._limits.deadline)
        except BaseException:
            # Also when this task is cancelled: the unread response would be taken for that of the next image.
            await child.stop()
            raise
        self._idle.append(child)
        if "rejected" in response:
            raise ImageRejectedError(response["rejected"])
        if "missing" in response:
            raise FileNotFoundError(original)
        return Decoded(**response["decoded"])

    async def _take(self) -> _Child:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            await child.stop()
        return await _Child.start(self._limits)


class _Child:
    """One decoder process and the pipes to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._requests = cast(asyncio.StreamWriter, process.stdin)
        self._responses = cast(asyncio.StreamReader, process.stdout)

    @property
    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.returncode is None

    @classmethod
    async def start(cls, limits: DecoderLimits) -> _Child:
        """Start a process and wait until it is ready."""
        options = {
            "--parent": os.getpid(),
            "--memory": limits.memory,
            "--seconds": int(limits.deadline) + 1,
            "--max-pixels": limits.max_pixels,
        }
        # The child must find this package also when it is run from a source tree.
        root = str(Path(__file__).parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "workers.images.child",
                *(str(part) for option in options.items() for part in option),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,
            )
        except OSError as error:
            raise DecoderError(f"the image decoder cannot be started: {error}") from error
        child = cls(process)
        try:
            await child.receive(START_DEADLINE)
        except (_CrashedError, _DeadlineError) as error:
            await child.stop()
            raise DecoderError(f"the image decoder cannot be started: {error}") from error
        except BaseException:
            await child.stop()
            raise
        return child

    async def decode(self, path: Path, deadline: float) -> dict[str, Any]:
        """Return the response to a path, within `deadline` seconds."""
        body = msgpack.packb(str(path))
        self._requests.write(struct.pack(">I", len(body)) + body)
        response: dict[str, Any] = await self.receive(deadline)
        return response

    async def receive(self, deadline: float) -> Any:
        """Return the next message; raise `_DeadlineError`, or `_CrashedError` when the process ends."""
        try:
            async with asyncio.timeout(deadline):
                size = struct.unpack(">I", await self._responses.readexactly(4))[0]
                if size > _MAX_RESPONSE:
                    raise _CrashedError(f"a response of {size} bytes")
                return msgpack.unpackb(await self._responses.readexactly(size))
        except TimeoutError:
            raise _DeadlineError(f"no response within {deadline} s") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise _CrashedError("the process ended") from error

    async def stop(self) -> None:
        """Kill the process and wait for its end; it holds nothing that an orderly exit would save."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.communicate()  # reads what is left, so that the pipes are closed at once
