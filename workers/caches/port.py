"""The port of a cache of images: what a purge is, and its errors.

The adapters are `workers.caches.nginx`, for a cache that is asked for each URL, and `workers.caches.hook`, for CDNs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class CacheError(Exception):
    """A cache has not carried out what it was asked for; the text says why, `reason` is a word for metrics."""

    def __init__(self, text: str, *, reason: str = "failed") -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, kw_only=True, slots=True)
class HiddenImages:
    """The images of one original that are to disappear from caches.

    They are not public any more. With `signed`, no signed URL may show them either: nothing that is shown to anyone has
    this original now.
    """

    sha256: str
    signed: bool


class Cache(Protocol):
    """A cache, or a hook to several."""

    @property
    def name(self) -> str:
        """Return the name in events, logs and metrics: the host and port, or "hook"."""
        ...

    async def hide(self, originals: Sequence[str]) -> None:
        """Have the cache serve no image of these originals (SHA-256 in hex); raise `CacheError`.

        That takes a request for each original at most. It lasts until `forget`, which has to follow. Both end within
        their own time limits, and may be repeated.
        """
        ...

    async def forget(self, images: Sequence[HiddenImages]) -> None:
        """Have the cache forget images, in all sizes and formats, and end `hide`; raise `CacheError`.

        Images that the cache does not have do no harm. What is public again is fetched again.
        """
        ...


class PurgeMetrics(Protocol):
    """Measures purges by the name of the cache."""

    def caches_known(self, names: Sequence[str]) -> None:
        """Show the metrics of each cache from now on, so that the first failure is an increase."""
        ...

    def purge_done(self, *, cache: str, seconds: float) -> None:
        """Record that images are gone from a cache, so long after they were hidden."""
        ...

    def purge_failed(self, *, cache: str, seconds: float) -> None:
        """Record an attempt that failed, so long after the images were hidden."""
        ...


class NoPurgeMetrics:
    """Records nothing."""

    def caches_known(self, names: Sequence[str]) -> None:
        """Do nothing."""

    def purge_done(self, *, cache: str, seconds: float) -> None:
        """Do nothing."""

    def purge_failed(self, *, cache: str, seconds: float) -> None:
        """Do nothing."""
