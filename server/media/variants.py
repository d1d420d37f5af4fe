"""Variants of images, for users that may see the photo."""

from __future__ import annotations

import time
from typing import Protocol

from aiohttp import web

from server.edge.problem import ProblemError
from server.media.sending import send_blob
from server.media.urls import MediaUrls
from server.media.variant_requests import VariantRequests, VariantResult
from server.media.variant_use import VariantUse
from storage.blobs.keys import variant_key
from storage.blobs.port import Blob, Blobs
from storage.blobs.variants import FEED, REVIEW, THUMB, Variant, VariantRegistry
from storage.errors import NotFoundError
from storage.postgres.database import Queryable
from storage.stores.media import contents, quarantine
from storage.stores.media.variants import StoredVariant
from storage.stores.photos import photo_contents

YEAR = 365 * 86400  # seconds
DAY = 86400  # seconds
# Under URLs whose image may change with the recipe. No user waits while a cache asks for it again.
_FORMER_LIFETIME = f"max-age={DAY}, stale-while-revalidate={DAY}"
# A response that took longer is decided once more: the photo may have been deleted, and caches purged, in the meantime.
# It is shorter than the time after which purges are repeated (`workers.jobs.caches.purge`).
DECISION_TTL = 1.0  # seconds
# Caches may keep a 404 for some seconds. With "no-store" a cache that refreshes an image would go on with its old copy
# of what is deleted or private now.
MISSING = "public, max-age=10"
_FORMER = {"thumb": THUMB, "feed": FEED}


class VariantMetrics(Protocol):
    """Counts requests for variants."""

    def variant_requested(self, *, size: str, format: str, result: str) -> None:  # noqa: A002 - the label's name
        """Record a request that may see the image; `result` as in `VariantResult`."""
        ...


class NoVariantMetrics:
    """Records nothing."""

    def variant_requested(self, *, size: str, format: str, result: str) -> None:  # noqa: A002 - the label's name
        """Do nothing."""


class VariantRoutes:
    """`/media/r<recipe>/<sha256>/<size>.<format>`, the same below `/media/review`, and the URLs before recipes."""

    def __init__(
        self,
        db: Queryable,
        blobs: Blobs,
        variants: VariantRegistry,
        urls: MediaUrls,
        requests: VariantRequests,
        *,
        metrics: VariantMetrics | None = None,
        surrogate_keys: bool = False,
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._variants = variants
        self._urls = urls
        self._requests = requests
        self._use = VariantUse(db)
        self._metrics = metrics or NoVariantMetrics()
        self._surrogate_keys = surrogate_keys

    def routes(self) -> list[web.RouteDef]:
        """Return the routes; the hash must be in lower case, so that each image has one URL."""
        sha256 = "{sha256:[0-9a-f]{64}}"
        variant = f"/r{{recipe:[0-9]{{1,6}}}}/{sha256}/{{size:[0-9]{{1,9}}|motion|video}}.{{format:[a-z0-9]{{1,9}}}}"
        return [
            web.get(f"/media{variant}", self.variant),
            web.get(f"{REVIEW}{variant}", self.variant),
            web.get(f"/media/{sha256}/{{variant:thumb|feed}}.jpg", self.former_variant),
        ]

    async def variant(self, request: web.Request) -> web.StreamResponse:
        """Return a variant: public ones are cacheable for a year, others until their signature expires.

        A variant that is not stored is made; while that takes too long, the response leads to a smaller one.
        """
        path, recipe = request.match_info, int(request.match_info["recipe"])
        variant = self._variants.find(f"{path['size']}.{path['format']}")
        if variant is None or not self._variants.knows(recipe) or str(recipe) != path["recipe"]:
            raise _missing()
        # The URL of an earlier recipe gives the image of the present one, so it is kept less long.
        lifetime = f"max-age={YEAR}, immutable" if recipe == self._variants.recipe else _FORMER_LIFETIME
        # The photo of its author, or of a moderator or service that decides about it, has a signature of its own. It
        # does not open the images of a photo that others may see, nor does theirs open one that is withheld.
        root = REVIEW if request.path.startswith(REVIEW) else "/media"
        prefix = f"{root}/r{recipe}/{path['sha256']}/"
        response = await self._respond(request, variant, signed=prefix, lifetime=lifetime)
        if response is not None:
            return response
        substitute = self._variants.substitute(variant)
        if substitute is None:
            raise _not_yet()
        location = f"{prefix}{substitute.name}" + (f"?{request.query_string}" if request.query_string else "")
        return web.Response(status=302, headers={"Location": location, "Cache-Control": "no-store"})

    async def former_variant(self, request: web.Request) -> web.StreamResponse:
        """Return a variant under the URL that it had before there were recipes."""
        variant = self._variants.find(_FORMER[request.match_info["variant"]])
        if variant is None:
            raise _missing()
        response = await self._respond(request, variant, signed=request.path, lifetime=_FORMER_LIFETIME)
        if response is None:
            raise _not_yet()
        return response

    async def _respond(
        self, request: web.Request, variant: Variant, *, signed: str, lifetime: str
    ) -> web.StreamResponse | None:
        """Return the response with a variant, or None if it is being made."""
        sha256, decided = request.match_info["sha256"], time.monotonic()
        cache = await self._cache_control(request, signed=signed, lifetime=lifetime)
        if variant.motion and not await photo_contents.is_animation(self._db, sha256):
            raise _missing()
        if variant.video and not await photo_contents.is_video(self._db, sha256):
            raise _missing()
        blob = await self._obtain(sha256, variant)
        if blob is None:
            return None
        if time.monotonic() - decided > DECISION_TTL:
            cache = await self._cache_control(request, signed=signed, lifetime=lifetime)
        headers = {"Content-Type": variant.content_type, "Cache-Control": cache}
        if self._surrogate_keys:
            headers["Surrogate-Key"] = sha256
        tag = f"{sha256[:12]}-r{self._variants.recipe}-{variant.name}"
        return send_blob(request, blob, headers, tag=tag, missing=MISSING)

    async def _cache_control(self, request: web.Request, *, signed: str, lifetime: str) -> str:
        """Return which caches may keep the image, and for how long; raise a 404 if the request may not see it."""
        sha256 = request.match_info["sha256"]
        left = self._urls.seconds_left(signed, request.query.get("exp", ""), request.query.get("sig", ""))
        if signed.startswith(REVIEW):
            # No cache keeps what is withheld, and the next request decides again: the photo may be deleted by then.
            shown = left and await contents.is_referenced(self._db, sha256)
            if shown and not await quarantine.has(self._db, sha256):
                return "private, no-store"
            raise _missing()
        if left and await contents.is_shown(self._db, sha256):
            return f"private, max-age={left}, immutable"
        if await contents.is_public(self._db, sha256):
            return f"public, {lifetime}"
        raise _missing()

    async def _obtain(self, sha256: str, variant: Variant) -> Blob | None:
        """Return a variant, made if it was not stored; None if that takes too long."""
        blob, result = await self._stored(sha256, variant), VariantResult.HIT
        if blob is None:
            result = await self._requests.obtain(sha256, variant)
            if result in {VariantResult.MADE, VariantResult.WAITED}:
                blob = await self._stored(sha256, variant)
        elif variant.name not in self._variants.eager and not variant.video:
            await self._use.record(StoredVariant(sha256=sha256, recipe=self._variants.recipe, name=variant.name))
        self._metrics.variant_requested(size=variant.size, format=variant.format, result=result)
        if result is VariantResult.REFUSED:
            raise _missing()
        return blob

    async def _stored(self, sha256: str, variant: Variant) -> Blob | None:
        try:
            return await self._blobs.open(variant_key(sha256, self._variants.recipe, variant.name))
        except NotFoundError:
            return None


def _not_yet() -> ProblemError:
    detail = "The image is being made. Try again in a second."
    return ProblemError(503, "unavailable", detail, headers={"Retry-After": "1"})


def _missing() -> ProblemError:
    detail = "There is no such image, or you may not see it."
    return ProblemError(404, "image_not_found", detail, headers={"Cache-Control": MISSING})
