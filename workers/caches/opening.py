"""The caches of an installation, opened from their settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from yarl import URL

from storage.blobs.variants import VariantRegistry
from storage.render.images import Sign
from workers.caches.hook import PurgeHook
from workers.caches.nginx import NginxCache
from workers.outbound.client import OutboundClient
from workers.outbound.policy import TRUSTED


@dataclass(frozen=True, kw_only=True)
class CacheSettings:
    """The URLs of the caches, and what their requests need; without any URL nothing is ever sent.

    `sign` is given if the caches verify signatures themselves. New photos of authors with `warm_followers` are fetched
    by the caches at once, `warm_rate` images (in so many seconds) at most. `hook` has the URL of the hook for CDNs, if
    there is one, and the secret of its signatures.
    """

    urls: tuple[str, ...] = ()
    public_url: str = ""
    purge_key: str = ""
    sign: Sign | None = None
    warm_followers: int = 0
    warm_rate: tuple[int, float] = (1, 60.0)
    hook: tuple[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Caches:
    """The caches in nginx, and the hook for CDNs behind which others lie."""

    nginx: tuple[NginxCache, ...] = ()
    hook: PurgeHook | None = None


@asynccontextmanager
async def open_caches(settings: CacheSettings, variants: VariantRegistry) -> AsyncIterator[Caches]:
    """Yield the caches of the settings; those in nginx share one HTTP client, which keeps connections open."""
    if not settings.urls and settings.hook is None:
        yield Caches()
        return
    async with (
        aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": "PicShare"}, auto_decompress=False
        ) as session,
        OutboundClient(TRUSTED, name="purge:hook") as client,
    ):
        yield Caches(
            nginx=tuple(
                NginxCache(
                    url,
                    session,
                    variants,
                    host=URL(settings.public_url).host_port_subcomponent or "",
                    key=settings.purge_key,
                    sign=settings.sign,
                )
                for url in settings.urls
            ),
            hook=None
            if settings.hook is None
            else PurgeHook(settings.hook[0], client, variants, public_url=settings.public_url, secret=settings.hook[1]),
        )
