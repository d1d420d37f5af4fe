"""Processor time from an original of a phone to its variants, against libvips doing the same.

The original is a mosaic of photographs in their own size, so that it has as much detail as a photo of a phone. libvips
reads the same file, makes the same sizes, JPEGs of the same quality, and the same placeholder. Both make 2040 pixels
where 2048 are named (`storage.blobs.variants.fitting`).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyvips
import thumbhash
from PIL import Image

from bench.report import RATIO, Figure, figure, ratios
from storage.blobs.variants import Variant, fitting
from tests.support.pictures import PHOTOS
from workers.images.decode import HASH_SIDE, decode
from workers.images.encode import QUALITY

SIZE = (4080, 3072)  # 12.5 million pixels
ROW = 300  # pixels; every photograph is at least as high
SETS = (((1080, 320), 1.0), ((2048, 1080, 640, 320), 1.05))  # sides in pixels, and the goal
TURNS = 5  # of each side in a run, in turn
GROUP = "image work of a photo with 12.5 million pixels"


async def measure(*, quick: bool) -> list[Figure]:
    """Return the processor time of both, in milliseconds, and their ratio, for each set of sizes."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="psb-") as folder:
        path = Path(folder) / "original.jpg"
        mosaic(*SIZE).save(path, quality=90)
        for sides, goal in SETS:
            figures += _compare(path, sides, goal, runs=3 if quick else 7)
    return figures


def _compare(path: Path, sides: Sequence[int], goal: float, *, runs: int) -> list[Figure]:
    variants = [Variant(side=side, square=False, format="jpg") for side in sides]
    ours, theirs = [], []
    for _ in range(runs):
        times = [
            (_seconds(lambda: decode(path.read_bytes(), variants)), _seconds(lambda: _by_libvips(path, sides)))
            for _ in range(TURNS)
        ]
        ours.append(min(one for one, _ in times) * 1000)
        theirs.append(min(other for _, other in times) * 1000)
    sizes = ", ".join(f"{side}" for side in sorted(sides))
    return [
        figure(GROUP, f"JPEGs of {sizes} pixels and the placeholder", "ms", ours),
        figure(GROUP, f"the same by libvips: {sizes}", "ms", theirs),
        figure(
            GROUP,
            f"ratio to libvips: {sizes}",
            RATIO,
            ratios(ours, theirs),
            at_most=goal,
            limit="libvips, the fastest library for this work",
        ),
    ]


def mosaic(width: int, height: int) -> Image.Image:
    """Return an image that is covered with photographs."""
    photographs = [Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg"))]
    image, number = Image.new("RGB", (width, height)), 0
    for top in range(0, height, ROW):
        left = 0
        while left < width:
            photograph = photographs[number % len(photographs)]
            image.paste(photograph, (left, top))
            left += photograph.width
            number += 3  # so that rows differ
    return image


def _by_libvips(path: Path, sides: Sequence[int]) -> list[bytes]:
    variants, image = [], None
    for side in (max(fitting(*SIZE, side)) for side in sides):
        shrunk = (
            pyvips.Image.thumbnail(str(path), side, height=side, size="down")
            if image is None
            else image.thumbnail_image(side, height=side, size="down")
        )
        image = shrunk.copy_memory()
        variants.append(image.jpegsave_buffer(Q=QUALITY, keep="icc"))
    assert image is not None
    small = image.thumbnail_image(HASH_SIDE, height=HASH_SIDE).addalpha()
    variants.append(bytes(thumbhash.rgba_to_thumb_hash(small.width, small.height, bytes(small.write_to_memory()))))
    return variants


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
