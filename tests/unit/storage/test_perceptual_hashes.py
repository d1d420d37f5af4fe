"""Values of perceptual hashes: distances, orientations, and the parts by which near ones are found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from storage.perceptual_hashes import (
    BANDS,
    BITS,
    MAX_DISTANCE,
    MediaHash,
    bands,
    distance,
    is_pdq,
    nearby_bands,
    orientations,
    text_of,
)

HASHES = st.integers(min_value=0, max_value=(1 << BITS) - 1).map(text_of)


def test_the_text_of_a_hash() -> None:
    """The text has 64 digits in lower case, and the least significant bit last."""
    assert text_of(10) == "0" * 63 + "a"
    assert is_pdq("0f" * 32)
    assert not is_pdq("0F" * 32)
    assert not is_pdq("0f" * 31)
    assert not is_pdq("0f" * 32 + "\n")


@given(HASHES, st.sets(st.integers(0, BITS - 1), max_size=MAX_DISTANCE + 1))
def test_hashes_within_the_distance_share_a_part(pdq: str, changed: set[int]) -> None:
    """Whatever bits differ, up to the largest distance of two hashes of one image, one of the parts finds the other."""
    other = text_of(int(pdq, 16) ^ sum(1 << bit for bit in changed))
    assert distance(pdq, other) == len(changed)
    if len(changed) <= MAX_DISTANCE:
        assert set(nearby_bands(pdq)) & set(bands(other))


def test_the_largest_distance_that_parts_find() -> None:
    """With two different bits in each part but one of them, the parts find the other; one bit more would be missed."""
    two_each = sum(0b11 << (16 * band) for band in range(BANDS))
    zero = text_of(0)
    found = text_of(two_each ^ 0b1)
    assert distance(zero, found) == MAX_DISTANCE
    assert set(nearby_bands(zero)) & set(bands(found))
    assert not set(nearby_bands(zero)) & set(bands(text_of(two_each)))


def test_a_part_is_found_only_at_its_place() -> None:
    """The number of a part names its place, so that equal bits elsewhere are not found."""
    assert bands(text_of(1)) == [1, *(band << 16 for band in range(1, 16))]
    assert not set(nearby_bands("0" * 64)) & set(bands("f" * 64))
    assert len(set(nearby_bands("0" * 64))) == 16 * 17


@given(HASHES)
def test_the_orientations_are_a_group(pdq: str) -> None:
    """The hash itself comes first, and each orientation of an orientation is one of the eight."""
    found = orientations(pdq)
    assert found[0] == pdq
    assert len(found) <= 8
    assert all(set(orientations(one)) == set(found) for one in found)


def test_plain_images_are_not_compared() -> None:
    """A hash of low quality is of no use."""
    assert MediaHash(sha256="", pdq="0" * 64, quality=50).comparable
    assert not MediaHash(sha256="", pdq="0" * 64, quality=49).comparable
