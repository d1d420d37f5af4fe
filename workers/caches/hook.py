"""A hook for CDNs: one signed POST for each purge, with surrogate keys and URLs.

The program behind it calls the interface of a CDN. Requests are signed as in Standard Webhooks, so its libraries verify
them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence

import orjson

from storage.blobs.variants import VariantRegistry
from workers.caches.paths import public_paths
from workers.caches.port import CacheError, HiddenImages
from workers.outbound.client import STATUS, OutboundClient
from workers.outbound.errors import OutboundError
from workers.webhooks.signing import signed_headers

_TIMEOUT = 5.0  # seconds


class PurgeHook:
    """The hook at `url`. The URLs of images begin with `public_url`; `secret` signs the requests."""

    def __init__(
        self,
        url: str,
        client: OutboundClient,
        variants: VariantRegistry,
        *,
        public_url: str,
        secret: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._client = client
        self._variants = variants
        self._public_url = public_url
        self._secret = secret
        self._clock = clock

    @property
    def name(self) -> str:
        """Return "hook"; there is one."""
        return "hook"

    async def hide(self, originals: Sequence[str]) -> None:
        """Post a purge, since there is nothing quicker; raise `CacheError` unless the response is 2xx."""
        await self._post(originals)

    async def forget(self, images: Sequence[HiddenImages]) -> None:
        """Post a purge; raise `CacheError` unless the response is 2xx."""
        await self._post([image.sha256 for image in images])

    async def _post(self, keys: Sequence[str]) -> None:
        urls = [self._public_url + path for key in keys for path in public_paths(self._variants, key)]
        body = orjson.dumps({"type": "media.purge", "surrogate_keys": list(keys), "urls": urls})
        # A repetition has another id, because a receiver may skip an id that it knows.
        signed = signed_headers([self._secret], body, message=f"msg_{uuid.uuid4().hex}", second=int(self._clock()))
        headers = {"Content-Type": "application/json", **signed}
        try:
            response = await self._client.send("POST", self._url, body=body, headers=headers, timeout=_TIMEOUT)
        except OutboundError as error:
            raise CacheError(error.detail, reason=error.reason) from error
        if not response.ok:
            raise CacheError(f"it answered with status {response.status}", reason=STATUS)
