"""The parent's end of a decoder process: start it with nothing of ours, send it images, and read its responses.

The process gets no environment, no descriptor but the three standard streams, and each image as a descriptor: it need
not open anything, and cannot. See `workers.images.child` for the other end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgpack

from workers.errors import WorkerError
from workers.images.limits import DecoderLimits

START_DEADLINE = 30.0  # seconds until a fresh process must be ready
MODULE = "workers.images.child"
_END_DEADLINE = 2.0  # seconds for a process that has closed its pipes to end by itself
_MAX_COMPLAINT = 2_000  # bytes of its standard error that are kept, the last ones
# Without an environment, and isolated from the user's files (-I), Python finds this package by its first argument: the
# process must find it also when it is run from a source tree.
_RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), None, '__main__', True)"
)


class DecoderError(WorkerError):
    """No process could be started."""


class CrashedError(Exception):
    """A process ended while decoding an image, or responded with what is no response; the text says how."""


class DeadlineError(Exception):
    """A process did not respond in time, or used up its processor time."""


class Child:
    """One decoder process. `layers` are the active ones of its sandbox."""

    def __init__(self, process: asyncio.subprocess.Process, requests: socket.socket, max_response: int) -> None:
        self._process = process
        self._max_response = max_response  # bytes
        self._requests = requests
        self._responses = cast(asyncio.StreamReader, process.stdout)
        self._complaint = b""
        self._listening = asyncio.create_task(self._read_complaint(cast(asyncio.StreamReader, process.stderr)))
        self.layers: frozenset[str] = frozenset()

    @property
    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self._process.returncode is None

    @classmethod
    async def start(cls, limits: DecoderLimits, *, module: str = MODULE) -> Child:
        """Start a process and wait until it is ready."""
        options = {
            "--parent": os.getpid(),
            "--memory": limits.memory,
            "--max-pixels": limits.max_pixels,
        }
        ours, its = socket.socketpair()
        try:
            with its:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *("-I", "-B", "-c", _RUN, str(Path(__file__).parents[2]), module),
                    *(str(part) for option in options.items() for part in option),
                    stdin=its.fileno(),
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env={},
                )
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise DecoderError(f"the image decoder cannot be started: {error}") from error
            raise
        ours.setblocking(False)
        child = cls(process, ours, limits.max_response)
        try:
            child.layers = frozenset((await child._receive(START_DEADLINE))["layers"])
        except (CrashedError, DeadlineError) as error:
            await child.stop()
            raise DecoderError(f"the image decoder cannot be started: {error}") from error
        except BaseException:
            await child.stop()
            raise
        return child

    async def respond(self, request: Mapping[str, Any], file: int, deadline: float) -> dict[str, Any]:
        """Return the response to a request about an open file, within `deadline` seconds.

        Raises `DeadlineError`, or `CrashedError` when the process ends or responds with something else; it can then
        only be stopped.
        """
        try:
            # The socket is empty: the process has received every earlier request before it responded.
            socket.send_fds(self._requests, [msgpack.packb(dict(request))], [file])
        except OSError as error:
            raise CrashedError(await self._describe_end(str(error))) from error
        return await self._receive(deadline)

    async def _receive(self, deadline: float) -> dict[str, Any]:
        try:
            async with asyncio.timeout(deadline):
                size = struct.unpack(">I", await self._responses.readexactly(4))[0]
                if size > self._max_response:
                    raise CrashedError(f"a response of {size} bytes")
                body = await self._responses.readexactly(size)
        except TimeoutError:
            raise DeadlineError(f"no response within {deadline} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            description = await self._describe_end("the process ended")
            if self._process.returncode == -signal.SIGXCPU:
                raise DeadlineError("no response within its processor time") from None
            raise CrashedError(description) from None
        try:
            response = msgpack.unpackb(body)
        except ValueError as error:
            raise CrashedError(f"a response that is not valid: {error}") from error
        if not isinstance(response, dict):
            raise CrashedError("a response that is not valid")
        return response

    async def stop(self) -> None:
        """Kill the process and wait for its end; it holds nothing that an orderly exit would save."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._requests.close()
        await self._listening
        await self._process.communicate()  # reads what is left, so that the pipes are closed at once

    async def _read_complaint(self, stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(_MAX_COMPLAINT):
            self._complaint = (self._complaint + piece)[-_MAX_COMPLAINT:]

    async def _describe_end(self, event: str) -> str:
        """Return an event with the exit code of the process, which has ended or is killed, and its last lines."""
        # `kill` looks first whether the process has ended, and so takes the exit code from asyncio, which reports 255.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_DEADLINE):
                await self._process.wait()
        await self.stop()
        lines = self._complaint.decode(errors="replace").strip()
        return f"{event} with exit code {self._process.returncode}{': ' if lines else ''}{lines}"
