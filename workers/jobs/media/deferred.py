"""The worker "deferred": photos of authors who have others in processing, with decoders of its own.

So one author's photos, however many and costly they are, hold a part of the decoders only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.events import PhotoDeferred
from workers.handlers import on
from workers.images.pool import Decoder
from workers.jobs.context import Handlers, WorkerContext
from workers.jobs.media.media import MediaHandlers
from workers.jobs.media.scans import open_gate


@asynccontextmanager
async def open_handlers(context: WorkerContext) -> AsyncIterator[Handlers]:
    """Yield the handler of the queue "deferred"; its decoders start with the first photo."""
    decoder = Decoder(processes=context.concurrency, limits=context.decoder_limits, metrics=context.decoder_metrics)
    try:
        async with open_gate(context) as gate:
            handlers = MediaHandlers(
                context.db, context.blobs, decoder, context.variants, context.finding_metrics, gate=gate
            )
            yield on(PhotoDeferred, handlers.deferred)
    finally:
        await decoder.close()
