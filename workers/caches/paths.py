"""The paths under which the images of an original may be cached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from storage.blobs.variants import VariantRegistry
from storage.render.images import Sign, former_path, image_prefix, prefix_of
from workers.caches.port import HiddenImages

_FORMER = ("thumb", "feed")


def public_paths(variants: VariantRegistry, sha256: str) -> Iterator[str]:
    """Yield the path of every size and format, under every recipe that URLs may have, and those before recipes.

    Those of the present recipe come first: they are the ones that pages show.
    """
    for recipe in range(variants.recipe, 0, -1):
        prefix = prefix_of(recipe, sha256)
        yield from (f"{prefix}{name}" for name in variants.names)
    yield from (former_path(sha256, name) for name in _FORMER)


def eager_paths(variants: VariantRegistry, sha256: str) -> Iterator[str]:
    """Yield the paths of the variants that every photo has."""
    prefix = image_prefix(variants, sha256)
    yield from (f"{prefix}{name}" for name in variants.eager)


def signed_paths(variants: VariantRegistry, sha256: str, sign: Sign) -> Iterator[str]:
    """Yield the path of every size and format under every recipe, with a valid signature."""
    for recipe in range(variants.recipe, 0, -1):
        prefix = prefix_of(recipe, sha256)
        query = sign(prefix)
        yield from (f"{prefix}{name}?{query}" for name in variants.names)


def paths_of(variants: VariantRegistry, images: Sequence[HiddenImages], sign: Sign | None) -> Iterator[str]:
    """Yield all paths of hidden images; with signatures for caches that verify these themselves (`sign`)."""
    for image in images:
        yield from public_paths(variants, image.sha256)
        if image.signed and sign is not None:
            yield from signed_paths(variants, image.sha256, sign)
