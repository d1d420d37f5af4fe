"""Traffic profiles: what the users of a load test do while their sockets are connected.

A profile is a row of `PROFILES`; `docs/loadtest.md` explains each. All rates are for the load test as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ProfileName(StrEnum):
    """The values of `--profile`."""

    IDLE = "idle"
    LIKES = "likes"
    UPLOADS = "uploads"
    MIXED = "mixed"
    STORM = "storm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One kind of traffic.

    `likes` (added and removed), `uploads` and `reads` (of the feed page) are per second. `followers` is how many
    followers each uploading user has. Every `storm_every` seconds (0: never) the share `storm_share` (0–1) of the
    sockets is cut and reconnects at once.
    """

    purpose: str
    likes: float = 0.0
    uploads: float = 0.0
    reads: float = 0.0
    followers: int = 20
    storm_every: float = 0.0
    storm_share: float = 1.0

    @property
    def quiet(self) -> bool:
        """Return whether the profile causes no publications."""
        return not (self.likes or self.uploads)


PROFILES: dict[ProfileName, Profile] = {
    ProfileName.IDLE: Profile(purpose="connect and stay idle"),
    ProfileName.LIKES: Profile(purpose="likes, delivered to each photo's owner", likes=20.0),
    ProfileName.UPLOADS: Profile(purpose="photos, delivered to their authors' followers", uploads=1.0),
    ProfileName.MIXED: Profile(purpose="photos, likes, and reads of the feed", likes=10.0, uploads=1.0, reads=20.0),
    ProfileName.STORM: Profile(
        purpose="photos and likes, while all sockets are cut at once and recover",
        likes=10.0,
        uploads=1.0,
        storm_every=10.0,
    ),
}
