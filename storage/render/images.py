"""Paths of image variants as they appear in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Sign: TypeAlias = Callable[[str], str]
_VARIANTS = ("thumb", "feed")


def media_path(sha256: str, variant: str) -> str:
    """Return the path of a variant; it is immutable, since it is named by the content."""
    return f"/media/{sha256}/{variant}.jpg"


def image_urls(sha256: str, sign: Sign | None) -> dict[str, str]:
    """Return the paths of the eager variants by name; `sign` adds a signature with an expiry to each."""
    paths = {variant: media_path(sha256, variant) for variant in _VARIANTS}
    return paths if sign is None else {variant: sign(path) for variant, path in paths.items()}
