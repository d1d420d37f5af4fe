"""Make the eager variants of all contents for a recipe, before requests ask for them or after they were lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from server.composition.backends import open_stores, variant_registry
from server.composition.embedded import reachable_backends
from server.config.section import from_sections
from server.config.settings import Settings
from storage.cache.variant_states import VariantState, VariantStates
from storage.media_types import VIDEO_TYPES
from storage.postgres import migrate
from storage.stores.media import contents, quarantine
from storage.stores.media.contents import Content, ContentState
from workers.images.limits import DecoderLimits
from workers.images.pool import Decoder
from workers.jobs.media.variants import VariantHandlers
from workers.jobs.media.video import VideoHandlers
from workers.videos.limits import VideoLimits
from workers.videos.pool import VideoDecoder

_PAGE = 1000  # rows of one statement


async def rebuild(settings: Settings, *, recipe: int, processes: int) -> Counter[str]:
    """Make what is missing and return the number of contents by outcome: "present", "quarantined" or a `VariantState`.

    It goes through the same steps as the worker "variants", and can be repeated at any point. A content that was not
    stored to its end, as one whose upload failed, or that is being removed has no variants and does not count.
    """
    outcomes: Counter[str] = Counter()
    async with reachable_backends(settings) as resolved, open_stores(resolved) as stores:
        await migrate.check(stores.db)
        registry = replace(variant_registry(settings), recipe=recipe)
        section = settings.worker
        limits = DecoderLimits(
            deadline=section.decode_deadline, memory=section.decode_memory, max_pixels=settings.upload.max_pixels
        )
        decoder = Decoder(processes=processes, limits=limits)
        videos = VideoDecoder(videos=from_sections(VideoLimits, settings.video), images=limits)
        states = VariantStates(stores.redis)
        handlers = VariantHandlers(stores.db, stores.blobs, decoder, registry, states)
        video_handlers = VideoHandlers(stores.db, stores.blobs, videos, registry, states)

        async def make(content: Content) -> str:
            made = (
                await video_handlers.make_missing(content.sha256) if content.content_type in VIDEO_TYPES else "present"
            )
            outcome = await handlers.make_missing(content.sha256)
            if outcome == VariantState.UNAVAILABLE and await quarantine.has(stores.db, content.sha256):
                return "quarantined"
            return made if outcome == "present" else outcome

        try:
            after = ""
            while page := await contents.page(stores.db, after=after, limit=_PAGE):
                stored = [content for content in page if content.state is ContentState.STORED]
                for batch in _batches(stored, processes):
                    outcomes.update(await asyncio.gather(*map(make, batch)))
                after = page[-1].sha256
        finally:
            await decoder.close()
            await videos.close()
    return outcomes


def _batches(items: list[Content], size: int) -> Iterator[list[Content]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
