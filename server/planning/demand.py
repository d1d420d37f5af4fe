"""The work of a load: how often each unit occurs, and the processor time that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.planning.load import Load
from server.planning.unit_costs import UnitCosts


@dataclass(frozen=True, kw_only=True)
class Work:
    """One kind of work: `each` times for each user and day, `formula` says why, `cost` is µs by component."""

    name: str
    unit: str
    each: float
    formula: str
    peak: float
    cost: Mapping[str, float]
    source: str

    @property
    def milliseconds(self) -> float:
        """Return the core-milliseconds for each user and day."""
        return self.each * sum(self.cost.values()) / 1000

    @property
    def cores(self) -> dict[str, float]:
        """Return the cores that are busy at the peak, by component."""
        return {component: self.peak * cost / 1e6 for component, cost in self.cost.items()}


# Unit, name and formula of each kind of work. The names in the formulas are fields of `Load`.
_KINDS: Sequence[tuple[str, str, str]] = (
    ("megapixel", "images of new photos", "uploads × photo_megapixels"),
    ("upload", "posts of photos", "uploads"),
    ("insertion", "insertions into feeds", "uploads × followers_mean"),
    ("delivery", "live messages", "(uploads × followers_mean + likes + comments) × online_share"),
    ("page", "pages of the feed", "photos_viewed ÷ page_photos"),
    ("like", "likes", "likes"),
    ("comment", "comments", "comments"),
    ("follow", "follows", "follows"),
    ("ping", "keep-alive rounds", "sessions × session_seconds ÷ ping_seconds"),
    ("connect", "connects", "sessions"),
    ("refresh", "renewed tokens", "sessions"),
    ("gateway", "requests through nginx", "pages + posts + likes + comments + follows + sessions"),
    ("handshake", "TLS handshakes", "sessions × 2"),
    ("image", "images from the cache of nginx", "photos_viewed × (1 − cache_share)"),
)


def work_of(load: Load, costs: UnitCosts) -> list[Work]:
    """Return all kinds of work of a load."""
    each = _each(load)
    return [
        Work(
            name=name,
            unit=unit,
            each=each[unit],
            formula=formula,
            peak=load.peak(each[unit]),
            cost=costs.of(unit),
            source=costs.sources.get(unit, ""),
        )
        for unit, name, formula in _KINDS
        if each[unit]
    ]


def _each(load: Load) -> dict[str, float]:
    """Return how often each unit occurs for a user and day; the formulas of `_KINDS`."""
    insertions = load.uploads * load.followers_mean
    pages = load.photos_viewed / load.page_photos
    sessions = load.sessions
    return {
        "megapixel": load.uploads * load.photo_megapixels,
        "upload": load.uploads,
        "insertion": insertions,
        "delivery": (insertions + load.likes + load.comments) * load.online_share,
        "page": pages,
        "like": load.likes,
        "comment": load.comments,
        "follow": load.follows,
        "ping": sessions * load.session_seconds / load.ping_seconds,
        "connect": sessions,
        "refresh": sessions,
        "gateway": pages + load.uploads + load.likes + load.comments + load.follows + sessions,
        "handshake": sessions * 2,
        "image": load.photos_viewed * (1 - load.cache_share),
    }
