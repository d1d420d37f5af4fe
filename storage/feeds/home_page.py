"""A page of the home feed, whichever engine it was read from."""

from __future__ import annotations

from dataclasses import dataclass

from storage.limits.quotas import Quota


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedPage:
    """A page: the photos' JSON, and the id below which the next page begins (None at the end).

    `pieces` joined are the photos with commas between them. They are joined once, by the caller, together with the
    JSON around them, because joining copies the whole page. `position` is the position in the feed's live stream, epoch
    and offset, up to which the page includes every publication; None if unknown. An `incomplete` page was read while
    PostgreSQL is away: it lacks what Redis did not have, and photos whose permissions could not be checked.
    """

    pieces: list[bytes]
    next: int | None
    position: tuple[str, int] | None = None
    incomplete: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class HomePage(FeedPage):
    """A page with what it was charged to.

    It is empty if the quota refuses the request or the session was revoked, which charges nothing. `quota` is None for
    a cost of 0.
    """

    quota: Quota | None
    revoked: bool
