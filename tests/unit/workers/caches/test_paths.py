"""The paths under which an image may be cached."""

from __future__ import annotations

from storage.blobs.variants import VariantRegistry
from workers.caches.paths import paths_of, public_paths
from workers.caches.port import HiddenImages

SHA256 = "ab" * 32
FEW = VariantRegistry(recipe=2, squares=(160,), sizes=(320, 1080), formats=("jpg", "webp"), eager=())
NAMES = ["160.jpg", "160.webp", "320.jpg", "320.webp", "1080.jpg", "1080.webp", "motion.webp", "video.mp4"]


def test_every_size_format_and_recipe_has_a_path() -> None:
    """All that ever had a URL is named once, the present recipe first."""
    assert list(public_paths(FEW, SHA256)) == [
        *(f"/media/r2/{SHA256}/{name}" for name in NAMES),
        *(f"/media/r1/{SHA256}/{name}" for name in NAMES),
        f"/media/{SHA256}/thumb.jpg",
        f"/media/{SHA256}/feed.jpg",
    ]


def test_signed_paths_are_for_images_that_nothing_has_and_for_caches_that_verify() -> None:
    """A signature is made for each recipe; there is none for images that holders of a URL may still see."""
    image = HiddenImages(sha256=SHA256, signed=True)
    paths = list(paths_of(FEW, [image], lambda prefix: f"exp=1&sig={prefix[7:9]}"))
    assert paths[18:] == [
        *(f"/media/r2/{SHA256}/{name}?exp=1&sig=r2" for name in NAMES),
        *(f"/media/r1/{SHA256}/{name}?exp=1&sig=r1" for name in NAMES),
    ]
    public = list(public_paths(FEW, SHA256))
    assert list(paths_of(FEW, [image], None)) == public
    assert list(paths_of(FEW, [HiddenImages(sha256=SHA256, signed=False)], lambda _: "sig=x")) == public
