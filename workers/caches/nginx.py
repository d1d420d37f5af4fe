"""A cache of images in nginx with the configuration in `deploy/nginx`.

An original is hidden by a mark, an empty file that nginx stores: while it is there, nothing of the cache is served for
it. It is purged by a request for each URL. With the key a request bypasses the cache, and nginx itself answers it with
a 404 that takes the place of the cached image for a second. nginx needs no PicShare for either.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import aiohttp
import structlog
from yarl import URL

from storage.blobs.variants import VariantRegistry
from storage.render.images import Sign
from workers.caches.paths import paths_of
from workers.caches.port import CacheError, HiddenImages
from workers.outbound.failures import reason_of

AT_ONCE = 8  # requests to one cache from one process
TIMEOUT = 5.0  # seconds for all requests of a purge, and an allowance for each of them, since it may have thousands
_ALLOWANCE = 0.02  # seconds; ten times what one takes while eight are sent at once
_CHUNK = 65_536  # bytes
_TIMEOUT = aiohttp.ClientTimeout(total=2.0, sock_connect=1.0)
_Item = TypeVar("_Item")

log = structlog.get_logger(__name__)


def purge_key(secret: bytes) -> str:
    """Return the key of purges, as `deploy/nginx/keys` derives it from `auth.secret`: 32 hex digits."""
    return hmac.digest(secret, b"picshare purge", hashlib.sha256).hex()[:32]


class NginxCache:
    """The cache at `url`, with or without TLS; `host` is the one of the service, by which nginx selects its server.

    `sign` is given if nginx verifies signatures itself, and so caches private images.
    """

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        variants: VariantRegistry,
        *,
        host: str,
        key: str,
        sign: Sign | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._url = URL(url)
        self._session = session
        self._variants = variants
        self._headers = {"Host": host}
        # The certificate of a cache is that of the service, not of its own address.
        self._server_name = URL(f"https://{host}").raw_host if self._url.scheme == "https" else None
        self._purging = {**self._headers, "X-Picshare-Purge": key}
        self._sign = sign
        self._timeout = timeout
        # Of several purges at the same time each gets its share of the requests, a photo as well as an account.
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._marking = True

    @property
    def name(self) -> str:
        """Return the host and port."""
        return self._url.host_port_subcomponent or ""

    async def hide(self, originals: Sequence[str]) -> None:
        """Mark originals; raise `CacheError` if nginx does not answer.

        What nginx does not mark is purged instead: its disk may be full, or its configuration that of an earlier
        version.
        """
        unmarked: list[HiddenImages] = []

        async def mark(sha256: str) -> None:
            status, verified = await self._mark("PUT", sha256)
            if not verified or status not in {201, 204}:
                unmarked.append(HiddenImages(sha256=sha256, signed=True))

        await self._request_all(originals, mark)
        await self._purge_all(unmarked)
        if unmarked and self._marking:
            log.warning("cache_not_marked", cache=self.name)
        self._marking = not unmarked

    async def forget(self, images: Sequence[HiddenImages]) -> None:
        """Replace every cached image by a 404, then remove the marks; raise `CacheError` at the first failure."""

        async def remove_mark(image: HiddenImages) -> None:
            status, verified = await self._mark("DELETE", image.sha256)
            # In the configuration of an earlier version, which has no marks, the request reaches PicShare.
            if verified and status not in {204, 404}:
                raise CacheError(f"a mark was not removed: a response has the status {status}", reason="bad_response")

        # In this order, so that nothing is left of what was hidden when the cache is used again.
        await self._purge_all(images)
        await self._request_all(images, remove_mark)

    async def fetch(self, paths: Sequence[str]) -> Mapping[str, int]:
        """Have the cache fetch images; return how many were `fetched` or `present`, or have `failed`.

        Raises `CacheError` if the cache itself does not answer.
        """
        results: Counter[str] = Counter()

        async def fetch(path: str) -> None:
            results[await self._fetch(path)] += 1

        await self._request_all(paths, fetch)
        return results

    async def _purge_all(self, images: Sequence[HiddenImages]) -> None:
        await self._request_all(list(paths_of(self._variants, images, self._sign)), self._purge)

    async def _request_all(self, items: Sequence[_Item], request: Callable[[_Item], Awaitable[None]]) -> None:
        waiting, seconds = iter(items), self._timeout + _ALLOWANCE * len(items)

        async def some() -> None:
            for item in waiting:
                async with self._turns:
                    await request(item)

        try:
            async with asyncio.timeout(seconds):
                await _gather(some() for _ in range(AT_ONCE))
        except TimeoutError as error:
            raise CacheError(f"it was not done within {seconds:g} s", reason="timeout") from error

    async def _mark(self, method: str, sha256: str) -> tuple[int, bool]:
        """Set or remove a mark; return the status, and whether nginx has verified the key."""
        try:
            async with self._request(method, f"/picshare-marks/{sha256}", self._purging) as response:
                await _discard(response)
                return response.status, _is_purged(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CacheError(str(error) or "it does not answer", reason=reason_of(error)) from error

    async def _purge(self, path: str) -> None:
        try:
            async with self._request("GET", path, self._purging) as response:
                if not _is_purged(response):
                    raise CacheError(
                        f"a response with status {response.status} has no X-Picshare-Purged: is it the nginx of "
                        "deploy/nginx, with the keys of this auth.secret?",
                        reason="bad_response",
                    )
                await _discard(response)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CacheError(str(error) or "it does not answer", reason=reason_of(error)) from error

    async def _fetch(self, path: str) -> str:
        # By this header nginx leaves the request out of its log, and so out of the hit rate.
        headers = {**self._headers, "X-Picshare-Warm": "1"}
        try:
            async with self._request("GET", path, headers) as response:
                await _discard(response)
                if response.status != 200:
                    return "failed"
                return "present" if response.headers.get("X-Cache") == "HIT" else "fetched"
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CacheError(str(error) or "it does not answer", reason=reason_of(error)) from error

    def _request(
        self, method: str, path: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._session.request(
            method,
            self._url.join(URL(path, encoded=True)),
            headers=headers,
            timeout=_TIMEOUT,
            allow_redirects=False,
            server_hostname=self._server_name,
        )


async def _discard(response: aiohttp.ClientResponse) -> None:
    """Read the rest of a response, so that its connection can be used again, without keeping it in memory."""
    async for _ in response.content.iter_chunked(_CHUNK):
        pass


def _is_purged(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("X-Picshare-Purged") == "1"


async def _gather(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all calls; at the first error cancel the others and raise it."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
