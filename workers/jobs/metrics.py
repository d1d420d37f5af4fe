"""The metrics of the jobs, as handlers record them."""

from __future__ import annotations

from typing import Protocol


class StarMetrics(Protocol):
    """Measures announcements, promotions and demotions."""

    def star_announced(self, *, seconds: float) -> None:
        """Record an announcement, and how long it took."""
        ...

    def star_changed(self, *, change: str, seconds: float) -> None:
        """Record a completed change, `promotion` or `demotion`, and how long it took."""
        ...


class NoStarMetrics:
    """Records nothing."""

    def star_announced(self, *, seconds: float) -> None:
        """Do nothing."""

    def star_changed(self, *, change: str, seconds: float) -> None:
        """Do nothing."""


class InboxMetrics(Protocol):
    """Counts activities of which users are notified."""

    def notified(self, *, kind: str) -> None:
        """Record a new activity of an entry of this kind."""
        ...


class NoInboxMetrics:
    """Records nothing."""

    def notified(self, *, kind: str) -> None:
        """Do nothing."""


class FindingMetrics(Protocol):
    """Counts findings."""

    def abuse_found(self, *, kind: str, rule: str, action: str) -> None:
        """Record a finding: its kind, the rule, such as the name of a list, and what follows from it."""
        ...


class NoFindingMetrics:
    """Records nothing."""

    def abuse_found(self, *, kind: str, rule: str, action: str) -> None:
        """Do nothing."""


class ModerationMetrics(Protocol):
    """Measures decisions, and the photos that wait for one."""

    def photo_decided(self, *, action: str, by: str) -> None:
        """Record a decision about a photo that was stored."""
        ...

    def photos_held(self, *, number: int, oldest_seconds: float) -> None:
        """Record how many photos are held, and for how long the oldest of them."""
        ...


class NoModerationMetrics:
    """Records nothing."""

    def photo_decided(self, *, action: str, by: str) -> None:
        """Do nothing."""

    def photos_held(self, *, number: int, oldest_seconds: float) -> None:
        """Do nothing."""


class VariantMetrics(Protocol):
    """Measures variants that are made on request."""

    def variant_encoded(self, *, format: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """Record how long the decoder took for a variant in this format."""
        ...


class NoVariantMetrics:
    """Records nothing."""

    def variant_encoded(self, *, format: str, seconds: float) -> None:  # noqa: A002 - the label's name
        """Do nothing."""


class WarmMetrics(Protocol):
    """Counts images that caches were to fetch before users ask for them."""

    def cache_warmed(self, *, cache: str, result: str, images: int) -> None:
        """Record images by their result: `fetched`, `present`, `failed`, or `over_budget`."""
        ...


class NoWarmMetrics:
    """Records nothing."""

    def cache_warmed(self, *, cache: str, result: str, images: int) -> None:
        """Do nothing."""
