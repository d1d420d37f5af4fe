"""Bytes of the images of a feed page, against the page that showed one JPEG of 1080 pixels for every photo.

The page now offers WebP in all sizes, and the browser takes the smallest one with enough pixels. Quality is the
similarity (SSIM, Wang et al. 2004, of the luminance) of what is served to the ideal image of the same size, scaled
without loss. The photographs are those of the demonstration.
"""

from __future__ import annotations

import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyvips
from PIL import Image

from bench.report import RATIO, Figure, figure
from storage.blobs.variants import FEED, Variant, VariantRegistry, fitting
from tests.support.pictures import PHOTOS
from workers.images.decode import make

GROUP = "images of a feed page"
SCREENS = {"phone": 780, "desktop": 600}  # pixels of a photo's width: 390 CSS pixels with 2 for each, 600 with 1
# A field of stars, where no encoder is near the ideal image: the JPEG of before has a similarity of 0.885.
NOISE = {"galaxies.jpg"}
LIMIT = "the page of before: for every photo a JPEG of 1080 pixels, quality 82, optimised and progressive"
_REGISTRY = VariantRegistry()
_SIGMA = 1.5  # pixels, of the Gaussian window
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True, kw_only=True)
class Served:
    """What one photo costs on one screen, and how similar it is to the ideal image."""

    before: int
    now: int
    similarity: float
    similarity_before: float


async def measure(*, quick: bool) -> list[Figure]:
    """Return the ratios of bytes and the similarities; `quick` measures the same, because nothing depends on time."""
    del quick
    paths = sorted(PHOTOS.glob("*.jpg"))
    figures = []
    for screen, width in SCREENS.items():
        for format_ in ("webp", "avif"):
            found = {path.name: served(path, width, format_) for path in paths}
            usual = [one for name, one in found.items() if name not in NOISE]
            goal = {"at_most": 0.75, "limit": LIMIT} if format_ == "webp" else {}
            figures += [
                figure(GROUP, f"{format_}, {screen}", RATIO, [_ratio(usual)], **goal),  # type: ignore[arg-type]
                figure(GROUP, f"{format_}, {screen}, with a field of stars", RATIO, [_ratio(list(found.values()))]),
                _similarity(f"similarity, {format_}, {screen}", [one.similarity for one in usual], format_ == "webp"),
            ]
        before = [served(path, width, "webp").similarity_before for path in paths if path.name not in NOISE]
        figures.append(_similarity(f"similarity before, {screen}", before, has_goal=False))
    return figures


def served(path: Path, width: int, format_: str) -> Served:
    """Return what a photo costs that is shown `width` pixels wide, in one format and before."""
    original = Image.open(path).convert("RGB")
    before = _jpeg(original)
    image, _ = make(path.read_bytes(), [_chosen(original, width, format_)])
    (now,) = image.values()
    return Served(
        before=len(before),
        now=len(now),
        similarity=similarity(now, original),
        similarity_before=similarity(before, original),
    )


def similarity(data: bytes, original: Image.Image) -> float:
    """Return the SSIM of an encoded image and the original, scaled to its size without loss."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    ours, ideal = _luminance(image), _luminance(original.resize(image.size, Image.Resampling.LANCZOS))
    mean, ideal_mean = _blurred(ours), _blurred(ideal)
    variance, ideal_variance = _blurred(ours * ours) - mean * mean, _blurred(ideal * ideal) - ideal_mean * ideal_mean
    covariance = _blurred(ours * ideal) - mean * ideal_mean
    luminance = (mean * ideal_mean * 2 + _C1) / (mean * mean + ideal_mean * ideal_mean + _C1)
    structure = (covariance * 2 + _C2) / (variance + ideal_variance + _C2)
    average: float = (luminance * structure).avg()
    return average


def _chosen(original: Image.Image, width: int, format_: str) -> Variant:
    """Return the variant that a browser takes: the narrowest one that is wide enough, or the widest."""
    sides = [side for side in _REGISTRY.shown(*original.size) if side not in _REGISTRY.squares]
    wide_enough = [side for side in sides if fitting(*original.size, side)[0] >= width]
    return Variant(side=(wide_enough or sides[-1:])[0], square=False, format=format_)


def _jpeg(original: Image.Image) -> bytes:
    side = int(FEED.partition(".")[0])
    file = io.BytesIO()
    image = original.resize(fitting(*original.size, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    image.save(file, "JPEG", quality=82, optimize=True, progressive=True)
    return file.getvalue()


def _luminance(image: Image.Image) -> pyvips.Image:
    return pyvips.Image.new_from_memory(image.convert("L").tobytes(), image.width, image.height, 1, "uchar").cast(
        "float"
    )


def _blurred(image: pyvips.Image) -> pyvips.Image:
    return image.gaussblur(_SIGMA, precision="float")


def _ratio(photos: Sequence[Served]) -> float:
    return sum(one.now for one in photos) / sum(one.before for one in photos)


def _similarity(name: str, values: Sequence[float], has_goal: bool) -> Figure:
    limit = "the quality of before, at which a difference is hard to see"
    goal = {"at_least": 0.965, "limit": limit} if has_goal else {}
    return figure(GROUP, name, RATIO, [statistics.mean(values)], **goal)  # type: ignore[arg-type]
