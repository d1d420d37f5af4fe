"""Prometheus metrics of stars: authors whose photos are announced, and pulled into the feeds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_CHANGE_SECONDS = (1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 3600.0)
_ANNOUNCEMENT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class StarMetrics:
    """Records announcements and pulls, promotions and demotions, and the numbers of stars."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._announcements = Counter(
            "picshare_star_announcements",
            "Photos and removals announced for feeds to pull, instead of inserted into each.",
            registry=registry,
        )
        self._announcement_seconds = Histogram(
            "picshare_star_announcement_seconds",
            "Duration of an announcement.",
            buckets=_ANNOUNCEMENT_SECONDS,
            registry=registry,
        )
        self._changes = Histogram(
            "picshare_star_change_seconds",
            "Duration of an author's promotion to a star, or of the demotion.",
            ("change",),
            buckets=_CHANGE_SECONDS,
            registry=registry,
        )
        self._stars = Gauge("picshare_stars", "Stars by their state.", ("state",), registry=registry)
        self._pulls = Counter("picshare_star_pulls", "Reads of a feed that pulled announced photos.", registry=registry)
        self._pulled = Counter("picshare_star_pulled_photos", "Announced photos pulled into a feed.", registry=registry)

    def star_announced(self, *, seconds: float) -> None:
        """Record an announcement, and how long it took."""
        self._announcements.inc()
        self._announcement_seconds.observe(seconds)

    def star_changed(self, *, change: str, seconds: float) -> None:
        """Record a completed promotion or demotion of an author."""
        self._changes.labels(change).observe(max(seconds, 0.0))  # by the clocks of two machines

    def stars_counted(self, *, state: str, number: int) -> None:
        """Record how many stars are in a state."""
        self._stars.labels(state).set(number)

    def stars_pulled(self, *, pulls: int, photos: int) -> None:
        """Add the number of reads that pulled something, and of the photos that were pulled."""
        self._pulls.inc(pulls)
        self._pulled.inc(photos)
