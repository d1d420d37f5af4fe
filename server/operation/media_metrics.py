"""Prometheus metrics of images: uploads, decoders, variants, the blob store, and purges of caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_ENCODE_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0)
_DECODE_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_UPLOAD_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0)
_BLOB_SECONDS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 7.0)
_PURGE_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 600.0)
_OVERDUE = 60.0  # seconds after which a purge that still fails is overdue


class MediaMetrics:
    """Records what happens to images, from their arrival to their removal from caches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sandbox = Gauge(
            "picshare_decoder_sandbox",
            "Whether a layer of the sandbox of the image decoders is active.",
            ("layer",),
            registry=registry,
        )
        self._decode_seconds = Histogram(
            "picshare_decode_seconds",
            "Seconds that a decoder took for an image.",
            ("format", "outcome"),
            buckets=_DECODE_SECONDS,
            registry=registry,
        )
        self._variants = Counter(
            "picshare_variant_requests",
            "Requests for image variants.",
            ("size", "format", "result"),
            registry=registry,
        )
        self._encode_seconds = Histogram(
            "picshare_variant_encode_seconds",
            "Seconds in which a decoder made an image variant on request.",
            ("format",),
            buckets=_ENCODE_SECONDS,
            registry=registry,
        )
        self._upload_seconds = Histogram(
            "picshare_upload_seconds",
            "Seconds in which the bytes of an image arrived.",
            ("way",),
            buckets=_UPLOAD_SECONDS,
            registry=registry,
        )
        self._upload_bytes = Counter(
            "picshare_upload_bytes", "Bytes of images that arrived completely.", ("way",), registry=registry
        )
        self._blob_seconds = Histogram(
            "picshare_blob_op_seconds",
            "Seconds of a call to the blob store, by outcome.",
            ("op", "outcome"),
            buckets=_BLOB_SECONDS,
            registry=registry,
        )
        self._purge_seconds = Histogram(
            "picshare_purge_seconds",
            "Seconds from the moment at which images were hidden until a cache did not serve them any more.",
            ("cache",),
            buckets=_PURGE_SECONDS,
            registry=registry,
        )
        self._purge_failures = Counter(
            "picshare_purge_failures", "Attempts of purges that failed.", ("cache",), registry=registry
        )
        self._purges_overdue = Counter(
            "picshare_purge_overdue",
            "Attempts of purges that failed although the images have been hidden for a minute.",
            ("cache",),
            registry=registry,
        )
        self._warmed = Counter(
            "picshare_cache_warmed",
            "Images that a cache was to fetch before users ask for them.",
            ("cache", "result"),
            registry=registry,
        )

    def blob_op(self, *, op: str, outcome: str, seconds: float) -> None:
        """Record a call to the blob store."""
        self._blob_seconds.labels(op, outcome).observe(seconds)

    def decoder_sandboxed(self, layers: Mapping[str, bool]) -> None:
        """Record for each layer of the decoders' sandbox whether it is active."""
        for layer, active in layers.items():
            self._sandbox.labels(layer).set(active)

    def image_decoded(self, *, format: str, outcome: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """Record one attempt of a decoder at an image."""
        self._decode_seconds.labels(format, outcome).observe(seconds)

    def variant_requested(self, *, size: str, format: str, result: str) -> None:  # noqa: A002 - the label's name
        """Record one request for a variant of an image."""
        self._variants.labels(size, format, result).inc()

    def variant_encoded(self, *, format: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """Record the time of a decoder for a variant that was made on request."""
        self._encode_seconds.labels(format).observe(seconds)

    def upload_received(self, *, way: str, seconds: float, size: int) -> None:
        """Record an image whose bytes have arrived."""
        # The clock of the machine that announced it may be ahead. A negative value would make the sum decrease.
        self._upload_seconds.labels(way).observe(max(seconds, 0.0))
        self._upload_bytes.labels(way).inc(size)

    def caches_known(self, names: Sequence[str]) -> None:
        """Show the series of each cache from now on."""
        for name in names:
            for metric in (self._purge_seconds, self._purge_failures, self._purges_overdue):
                metric.labels(name)

    def purge_done(self, *, cache: str, seconds: float) -> None:
        """Record that a cache has forgotten images, so long after they were hidden."""
        self._purge_seconds.labels(cache).observe(max(seconds, 0.0))  # by the clocks of two machines

    def purge_failed(self, *, cache: str, seconds: float) -> None:
        """Record an attempt of a purge that failed, so long after the images were hidden."""
        self._purge_failures.labels(cache).inc()
        if seconds >= _OVERDUE:
            self._purges_overdue.labels(cache).inc()

    def cache_warmed(self, *, cache: str, result: str, images: int) -> None:
        """Record images that a cache was to fetch, by their result."""
        self._warmed.labels(cache, result).inc(images)
