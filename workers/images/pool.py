"""A pool of decoder processes, so that no image can harm the service.

Each process is in a sandbox (`workers.images.sandbox`), with bounded memory and a deadline for each image. A process
that crashes or stalls is killed and replaced, and only its image is affected. After a crash the image is decoded once
more in a new process before it is rejected, because the cause may have been another one, such as a lack of memory. At
its deadline an image is rejected at once: a second attempt would take as long.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import Any, TypeVar

import structlog

from storage.blobs.content_types import HEAD, UNKNOWN, recognised_type
from storage.blobs.variants import Variant
from workers.images import sandbox
from workers.images.decode import EAGER, Decoded, ImageRejectedError
from workers.images.limits import MOTION_TIME, DecoderLimits, DecoderMetrics, NoMetrics
from workers.images.process import MODULE, Child, CrashedError, DeadlineError
from workers.images.responses import InvalidResponseError, decoded_of, made_of, reason_of

log = structlog.get_logger(__name__)

T = TypeVar("T")
Read = Callable[[Mapping[str, Any], Sequence[Variant], bool], T]
Allow = Callable[[str], float]  # the type of a file -> the seconds that it may take


class Decoder:
    """Pool of processes that decode images, started when they are needed or beforehand by `start`.

    `module` is what a process runs.
    """

    def __init__(
        self,
        *,
        processes: int = 2,
        limits: DecoderLimits | None = None,
        metrics: DecoderMetrics | None = None,
        module: str = MODULE,
    ) -> None:
        self._module = module
        self._limits = limits or DecoderLimits()
        self._metrics = metrics or NoMetrics()
        self._free = asyncio.Semaphore(processes)
        self._processes = processes
        self._idle: list[Child] = []
        self._layers: frozenset[str] | None = None  # of the sandbox, as reported last

    async def start(self) -> None:
        """Start all processes now, so that the first images need not wait for one; raise `DecoderError`."""
        missing = self._processes - len(self._idle)
        self._idle += await asyncio.gather(*(self._start() for _ in range(missing)))

    async def close(self) -> None:
        """Kill the processes; images in progress fail."""
        idle, self._idle = self._idle, []
        for child in idle:
            await child.stop()

    async def variants(self, original: Path, variants: Sequence[Variant] = EAGER, *, rights: bool = False) -> Decoded:
        """Return the decoded file `original`, with these variants; with `rights` as `workers.images.decode` does.

        Raises `ImageRejectedError` with a reason for the user, `FileNotFoundError`, `DecoderError` when no process
        can be started, and `ForeignBytesError` when a variant has bytes that must not be published: the job fails, and
        an operator finds it among the dead letters, because either the encoder has changed or an image has taken the
        process over.
        """
        return await self._respond(original, variants, describe=True, rights=rights, read=decoded_of)

    async def make(self, original: Path, variants: Sequence[Variant], *, rights: bool = False) -> Mapping[str, bytes]:
        """Return these variants of the file `original` by name; `rights` and errors are those of `variants`.

        The variant `MOTION` is made alone, and never has rights.
        """
        return await self._respond(original, variants, describe=False, rights=rights, read=made_of)

    async def _respond(
        self, original: Path, variants: Sequence[Variant], *, describe: bool, rights: bool, read: Read[T]
    ) -> T:
        request = {"variants": [asdict(variant) for variant in variants], "describe": describe, "rights": rights}
        times = MOTION_TIME if any(variant.motion for variant in variants) else 1
        return await self.respond(
            original,
            request,
            allow=lambda content_type: self._limits.deadline_of(content_type) * times,
            read=lambda response: read(response, variants, rights),
        )

    async def respond(
        self,
        original: Path,
        request: Mapping[str, Any],
        *,
        allow: Allow,
        read: Callable[[Mapping[str, Any]], T],
        subject: str = "picture",
    ) -> T:
        """Return what `read` makes of the response of a process to a request about a file; errors as of `variants`.

        `seconds` in the request is the processor time that it may take, by default the deadline that `allow` returns.
        `subject` is what the file is, in texts for the user.
        """
        async with self._free:
            for attempt in (1, 2):
                try:
                    return await self._once(request, original, allow, read)
                except CrashedError as error:
                    log.warning("decoder_crashed", file=original.name, attempt=attempt, error=str(error))
                except DeadlineError as error:
                    log.warning("decoder_deadline_reached", file=original.name, error=str(error))
                    raise ImageRejectedError(f"the {subject} takes too long to decode") from error
        raise ImageRejectedError(f"the {subject} could not be decoded: it makes the decoder fail")

    async def _once(
        self, request: Mapping[str, Any], original: Path, allow: Allow, read: Callable[[Mapping[str, Any]], T]
    ) -> T:
        with await asyncio.to_thread(original.open, "rb", buffering=0) as file:
            child, content_type = await self._take(), _type_of(file)
            deadline = allow(content_type)
            with self._measured(content_type):
                try:
                    response = await child.respond({"seconds": int(deadline) + 1, **request}, file.fileno(), deadline)
                    reason = reason_of(response)
                    result = read(response) if reason is None else None
                except InvalidResponseError as error:
                    await child.stop()
                    raise CrashedError(f"a response {error}") from error
                except BaseException:
                    # Also when this task is cancelled: the unread response would be taken for that of the next image.
                    await child.stop()
                    raise
                self._idle.append(child)
                if result is None:
                    raise ImageRejectedError(reason)
                return result

    @contextmanager
    def _measured(self, content_type: str) -> Iterator[None]:
        started, outcome = time.monotonic(), "failed"
        try:
            yield
            outcome = "decoded"
        except ImageRejectedError:
            outcome = "rejected"
            raise
        except DeadlineError:
            outcome = "deadline"
            raise
        except CrashedError:
            outcome = "crashed"
            raise
        finally:
            name = "unknown" if content_type == UNKNOWN else content_type.partition("/")[2]
            self._metrics.image_decoded(format=name, outcome=outcome, seconds=time.monotonic() - started)

    async def _take(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.alive:
                return child
            await child.stop()
        return await self._start()

    async def _start(self) -> Child:
        child = await Child.start(self._limits, module=self._module)
        if child.layers != self._layers:
            self._layers = child.layers
            report_sandbox(child.layers, self._metrics)
        return child


def report_sandbox(layers: frozenset[str], metrics: DecoderMetrics) -> None:
    """Record the active layers of the sandbox, and log what it means if some are missing."""
    metrics.decoder_sandboxed({layer: layer in layers for layer in sandbox.LAYERS})
    if missing := [layer for layer in sandbox.LAYERS if layer not in layers]:
        log.warning("decoder_sandbox_incomplete", missing=missing, detail=sandbox.explain(missing))


def _type_of(file: FileIO) -> str:
    # The position stays: it is that of the process, too.
    return recognised_type(os.pread(file.fileno(), HEAD, 0)) if file.seekable() else UNKNOWN
