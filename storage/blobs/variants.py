"""The registry of variants: the sizes and formats in which images are served, and which of them are made at once.

A variant is named `<size>.<format>`; that of an animation with all its frames is `motion.webp`, the one of a video that
is played `video.mp4`. The images of a video are made from its poster (`poster_key`). The key and URL of a variant carry
the number of the recipe, which changes whenever variants of the same name are made differently, so that caches may keep
an image for ever. Eager variants are made when a photo is processed, the others when they are requested for the first
time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

CONTENT_TYPES: Mapping[str, str] = {"jpg": "image/jpeg", "webp": "image/webp", "avif": "image/avif"}
_DIVISORS = (2, 4, 8)  # what a JPEG decoder divides by, rounding up
_LEAST_SHARE = 0.975  # of a side
# The variants that every installation has: `thumb` and `feed` in the `urls` of a photo.
THUMB, FEED = "320.jpg", "1080.jpg"
# Instead of "/media" at the beginning of the signed paths under which the author, and those who decide, look at a photo
# that moderation withholds.
REVIEW = "/media/review"


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """A variant: `side` is the longest side of the image in pixels, or the side of a square crop; see `fitting`.

    `motion` is set for the one that has all frames of an animation, `video` for a video that is played.
    """

    side: int
    square: bool
    format: str
    motion: bool = False
    video: bool = False

    @property
    def size(self) -> str:
        """Return the first part of the name: the side, "motion" or "video"."""
        if self.video:
            return "video"
        return "motion" if self.motion else str(self.side)

    @property
    def name(self) -> str:
        """Return the name, e.g. "320.jpg"."""
        return f"{self.size}.{self.format}"

    @property
    def content_type(self) -> str:
        """Return the type of the image, or of the video."""
        return content_type_of(self.name)

    def size_of(self, width: int, height: int) -> tuple[int, int]:
        """Return width and height of this variant of an upright image."""
        if self.square:
            side = min(self.side, width, height)
            return side, side
        return fitting(width, height, self.side)


# An animation with all its frames; a format that every browser shows, whatever formats the other variants have.
MOTION = Variant(side=640, square=False, format="webp", motion=True)
# A video as browsers play it. It has the size of its original, or that of 720p.
VIDEO = Variant(side=1920, square=False, format="mp4", video=True)


@dataclass(frozen=True, kw_only=True)
class VariantRegistry:
    """The variants that exist; the section `[media]` of the settings has the same names and defaults.

    `squares` and `sizes` are sides in pixels; `eager` are names of variants. One format is always jpg.
    """

    recipe: int = 1
    squares: tuple[int, ...] = (160,)
    sizes: tuple[int, ...] = (320, 640, 1080, 1600, 2048)
    formats: tuple[str, ...] = ("jpg", "webp", "avif")
    eager: tuple[str, ...] = ("320.jpg", "320.webp", "1080.jpg", "1080.webp")

    def find(self, name: str) -> Variant | None:
        """Return the variant of a name, or None if there is none."""
        return self._by_name.get(name)

    @property
    def names(self) -> Sequence[str]:
        """Return the names of all variants."""
        return tuple(self._by_name)

    def knows(self, recipe: int) -> bool:
        """Return whether there are, or were, URLs with this recipe; those of an earlier one lead to the present one."""
        return 1 <= recipe <= self.recipe

    @cached_property
    def eager_variants(self) -> tuple[Variant, ...]:
        """Return the variants to be made when a photo is processed."""
        return tuple(self._by_name[name] for name in self.eager)

    def shown(self, width: int, height: int) -> dict[int, tuple[int, int]]:
        """Return width and height by side, ascending, of the variants that differ for an upright image of this size.

        Variants are never enlarged, so the sides from the longest side of the image on give the same image. Of these
        the first one with an eager variant is listed, or else the first one.
        """
        longest = max(width, height)
        whole = sorted(side for side in self.sizes if side >= longest)
        eager = [side for side in whole if side in self._eager_sides]
        sides = {*self.squares, *(side for side in self.sizes if side < longest), *(eager or whole)[:1]}
        variants = [self._by_name[f"{side}.jpg"] for side in sorted(sides)]
        return {variant.side: variant.size_of(width, height) for variant in variants}

    def substitute(self, variant: Variant) -> Variant | None:
        """Return the eager variant to show while `variant` is being made; None if there is none.

        It is not larger and, if possible, has the same format. The substitute of an eager variant is smaller, so that
        following substitutes ends.
        """
        if variant.square or variant.motion or variant.video:
            return None
        eager = variant.name in self.eager
        found = [
            other
            for other in self.eager_variants
            if not other.square and (other.side < variant.side or (other.side == variant.side and not eager))
        ]
        return max(
            found, key=lambda other: (other.side, other.format == variant.format, other.format == "jpg"), default=None
        )

    @cached_property
    def _by_name(self) -> Mapping[str, Variant]:
        sides = [*((side, True) for side in self.squares), *((side, False) for side in self.sizes)]
        variants = [
            Variant(side=side, square=square, format=format_) for side, square in sides for format_ in self.formats
        ]
        return {variant.name: variant for variant in (*variants, MOTION, VIDEO)}

    @cached_property
    def _eager_sides(self) -> frozenset[int]:
        return frozenset(variant.side for variant in self.eager_variants)


def content_type_of(name: str) -> str:
    """Return the type of a variant by its name."""
    format_ = name.rpartition(".")[2]
    return "video/mp4" if format_ == VIDEO.format else CONTENT_TYPES[format_]


def fitting(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size within a square of `side` pixels: same aspect, never enlarged, at least one pixel.

    Half, a quarter or an eighth of an image counts as fitting if it is only a little smaller than the side. A JPEG
    decoder makes it in a third of the time: many phones make photos of 4000 to 4096 pixels.
    """
    longest = max(width, height)
    if longest <= side:
        return width, height
    for divisor in _DIVISORS:
        if _LEAST_SHARE * side <= -(-longest // divisor) <= side:
            return -(-width // divisor), -(-height // divisor)
    return max(1, round(width * side / longest)), max(1, round(height * side / longest))
