"""The registry of variants: names, sizes, what the API lists, and what is shown meanwhile."""

from __future__ import annotations

import pytest

from storage.blobs.variants import MOTION, VIDEO, Variant, VariantRegistry

REGISTRY = VariantRegistry(recipe=3)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("320.jpg", Variant(side=320, square=False, format="jpg")),
        ("160.avif", Variant(side=160, square=True, format="avif")),
        ("motion.webp", MOTION),
        ("motion.jpg", None),
        ("video.mp4", VIDEO),
        ("video.webp", None),
        ("640.mp4", None),
        ("640.motion", None),
        ("321.jpg", None),
        ("0320.jpg", None),
        ("320.png", None),
        ("320", None),
        ("", None),
    ],
)
def test_names(name: str, expected: Variant | None) -> None:
    """A variant has exactly one name."""
    assert REGISTRY.find(name) == expected
    assert expected is None or expected.name == name


def test_recipes() -> None:
    """The present recipe and the earlier ones are known, later ones are not."""
    assert [recipe for recipe in range(6) if REGISTRY.knows(recipe)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (4000, 1000, {160: (160, 160), 320: (320, 80), 640: (640, 160), 1080: (1080, 270), 1600: (1600, 400),
                      2048: (2000, 500)}),
        (1080, 720, {160: (160, 160), 320: (320, 213), 640: (640, 427), 1080: (1080, 720)}),
        # 500 pixels: 640 would do, but 1080 is eager, and no larger.
        (500, 250, {160: (160, 160), 320: (320, 160), 1080: (500, 250)}),
        # 700 pixels: 1080 is eager, and shows the whole image, as 1600 and 2048 would.
        (700, 350, {160: (160, 160), 320: (320, 160), 640: (640, 320), 1080: (700, 350)}),
        # 1200 pixels: no eager variant is as large.
        (600, 1200, {160: (160, 160), 320: (160, 320), 640: (320, 640), 1080: (540, 1080), 1600: (600, 1200)}),
        (100, 50, {160: (50, 50), 320: (100, 50)}),
        (1, 1, {160: (1, 1), 320: (1, 1)}),
    ],
)  # fmt: skip
def test_shown(width: int, height: int, expected: dict[int, tuple[int, int]]) -> None:
    """The sizes that differ are listed with their pixels; none is larger than the image."""
    assert REGISTRY.shown(width, height) == expected
    assert list(expected) == sorted(expected)


def test_the_largest_image_is_always_listed() -> None:
    """Whatever the size, one listed variant has all pixels of the image, or is the largest of the registry."""
    for longest in range(1, 2200):
        listed = REGISTRY.shown(longest, max(1, longest // 2))
        assert max(max(size) for size in listed.values()) == min(longest, 2048)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2048.jpg", "1080.jpg"),
        ("1600.webp", "1080.webp"),
        ("1600.avif", "1080.jpg"),
        ("1080.avif", "1080.jpg"),
        ("640.webp", "320.webp"),
        ("1080.webp", "320.webp"),  # itself eager: not made yet in an older installation
        ("320.avif", "320.jpg"),
        ("320.jpg", None),
        ("160.jpg", None),
        ("video.mp4", None),
        ("motion.webp", None),  # a still image would be taken for the animation
    ],
)
def test_substitutes(name: str, expected: str | None) -> None:
    """The substitute of a variant is the nearest eager one that is not larger; following substitutes ends."""
    variant = REGISTRY.find(name)
    assert variant is not None
    substitute = REGISTRY.substitute(variant)
    assert (substitute and substitute.name) == expected
    for _ in REGISTRY.eager:
        substitute = substitute and REGISTRY.substitute(substitute)
    assert substitute is None
