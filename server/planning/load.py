"""The load that a plan is for: users, what each does in a day, and the machines to buy."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from server.errors import ServerError


class LoadError(ServerError):
    """A file of a load that cannot be used; the message says why."""


def _number(default: float, help_: str, *, least: float = 0.0, most: float = 1e12) -> float:
    value: float = field(default=default, metadata={"help": help_, "least": least, "most": most})
    return value


@dataclass(frozen=True, kw_only=True)
class Load:
    """A load; rates are for each user and day, sizes in the units that the help names."""

    daily_users: float = _number(50_000_000, "users a day", least=1)
    peak_factor: float = _number(3, "rate at the peak, as a multiple of the day's mean", least=1)
    uploads: float = _number(0.1, "photos posted")
    photos_viewed: float = _number(50, "photos looked at")
    likes: float = _number(0, "likes given")
    comments: float = _number(0, "comments written")
    follows: float = _number(0, "accounts followed for the first time")
    followers_mean: float = _number(300, "followers of an account that posts; also the accounts that a user follows")
    followers_p99: float = _number(20_000, "followers of the account at the 99th percentile")
    online_share: float = _number(0.1, "share of the users who are connected at the peak", most=1)
    session_seconds: float = _number(600, "seconds of a session", least=1)
    storm_share: float = _number(0.2, "share of the connections that come back together after a failure", most=1)
    storm_seconds: float = _number(60, "seconds within which they have to be back", least=1)
    photo_megapixels: float = _number(12.5, "megapixels of a photo")
    photo_megabytes: float = _number(4, "megabytes of a photo")
    image_kilobytes: float = _number(120, "kilobytes of an image that is looked at")
    cache_share: float = _number(0.97, "share of the images that a CDN answers", most=1)
    page_photos: float = _number(20, "photos of a page of the feed", least=1)
    ping_seconds: float = _number(25, "`live.ping_interval`", least=1)
    retention_days: float = _number(365, "days for which photos are kept", least=1)
    regions: float = _number(1, "regions, each of which can take over from another", least=1)
    target_use: float = _number(0.65, "share of the bought cores that is busy at the peak", least=0.05, most=1)
    machine_cores: float = _number(16, "cores of a machine", least=1)
    machine_gigabytes: float = _number(64, "gigabytes of memory of a machine", least=1)
    core_month: float = _number(0, "price of a core for a month; 0 for no prices")
    disk_gigabyte_month: float = _number(0, "price of a gigabyte of object storage for a month")
    egress_gigabyte: float = _number(0, "price of a gigabyte that leaves")

    @property
    def sockets(self) -> float:
        """Return the live connections at the peak."""
        return self.daily_users * self.online_share

    @property
    def sessions(self) -> float:
        """Return the sessions of a user in a day: the mean of the connections over the day, by their duration."""
        return self.online_share / self.peak_factor * 86_400 / self.session_seconds

    def peak(self, each: float) -> float:
        """Return the rate a second at the peak of what each user does `each` times a day."""
        return self.daily_users * each * self.peak_factor / 86_400


def with_changes(load: Load, changes: dict[str, Any]) -> Load:
    """Return the load with other values; raise `LoadError` for an unknown name or a value out of its bounds."""
    known = {item.name: item for item in fields(Load)}
    for name, value in changes.items():
        if name not in known:
            raise LoadError(f"A load has no value {name!r}; it has {', '.join(sorted(known))}.")
        least, most = known[name].metadata["least"], known[name].metadata["most"]
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise LoadError(f"{name} must be a number from {least:g} to {most:g}.")
    return replace(load, **{name: float(value) for name, value in changes.items()})


def read_load(path: Path) -> Load:
    """Return the load of a TOML file, whose keys are the fields of `Load`; raise `LoadError`."""
    try:
        document = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise LoadError(f"The load {path} cannot be read: {error}.") from error
    return with_changes(Load(), document)
