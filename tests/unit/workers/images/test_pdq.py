"""The perceptual hash, against hashes of the reference implementation and by its properties.

`REFERENCE` is what Facebook's own implementation returns (the package pdqhash 0.2.8) for the demonstration photographs
in their own size.
"""

from __future__ import annotations

import io
import itertools

import pytest
from PIL import Image

from storage.perceptual_hashes import MAX_DISTANCE, distance, orientations, text_of
from tests.support.pictures import photograph
from workers.images.decode import decode
from workers.images.pdq import pdq

REFERENCE = {
    "astronaut": "2d6f1af3a956c529c79ca3d2526fa834d4196c81cedd04de0a26b855fc99b724",
    "cat": "5feb5321f01da156898e2b7629a5d3438412cdbd23f48942464526317db33ffd",
    "coffee": "8c629e779a663698b9a33866c026726c21a679f61eb6e1f8c79ba7e23c8299e0",
    "flower": "673966dcb772a66499a69a666196a9476599a21b9649a659596624b3e58ea693",
    "galaxies": "1c6715e46266634f72d42df2324ad397e70e86be9c665c59a42ec19c3369b919",
    "rocket": "8792786c87937064bf1bc0e43f1fc0e03f1cc2e33da4c2537cec821b2ce4f376",
    "temple": "bf18cef3407e8678e6833b1937d14066988e5cd2046eac5f783103f157abf50e",
}
# For `astronaut` in 320 × 320 pixels the boxes of both are at the same places: the hash is the same, bit for bit.
EXACT = "2d2f1af3a856c529679ca3d6526fa836d4196c81c6dd04de0a26f855fc99b724"
NAMES = sorted(REFERENCE)


def thumb(name: str) -> Image.Image:
    """Return a photograph with 320 pixels on the longest side."""
    image = Image.open(photograph(name))
    image.thumbnail((320, 320), Image.Resampling.BICUBIC)
    return image


def hash_of(image: Image.Image) -> str:
    """Return the text of an image's hash."""
    return text_of(pdq(image)[0])


@pytest.mark.parametrize("name", NAMES)
def test_the_hash_is_that_of_the_reference(name: str) -> None:
    """The hash that the decoder returns is close enough to the reference that each finds the other in a list."""
    decoded = decode(photograph(name).read_bytes())
    assert distance(decoded.pdq, REFERENCE[name]) <= 18
    assert decoded.pdq_quality == 100


def test_it_is_the_same_where_the_boxes_are() -> None:
    """Luminance, blur, transform, median and the order of the bits are those of the reference."""
    image = Image.open(photograph("astronaut"))
    image.thumbnail((320, 320), Image.Resampling.BICUBIC)
    assert hash_of(image) == EXACT


@pytest.mark.parametrize("name", NAMES)
def test_another_encoding_or_size_differs_little(name: str) -> None:
    """A strong compression, a smaller size and grey leave the hash nearly as it is."""
    image, buffer = thumb(name), io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    own = hash_of(image)
    assert distance(own, hash_of(Image.open(buffer))) <= 8
    assert distance(own, hash_of(image.resize((image.width // 2, image.height // 2)))) <= 20
    assert distance(own, hash_of(image.convert("L"))) <= 4


def test_other_photographs_differ_much() -> None:
    """Two photographs differ in about half of the bits."""
    hashes = [hash_of(thumb(name)) for name in NAMES]
    assert min(distance(one, other) for one, other in itertools.combinations(hashes, 2)) >= 100


@pytest.mark.parametrize("turn", list(Image.Transpose))
@pytest.mark.parametrize("name", NAMES)
def test_a_turned_or_mirrored_image_is_found(name: str, turn: Image.Transpose) -> None:
    """One of the orientations of the hash is near, and without them none would be."""
    image = thumb(name)
    own, turned = hash_of(image), hash_of(image.transpose(turn))
    assert min(distance(turned, one) for one in orientations(own)) <= 14
    assert distance(turned, own) > MAX_DISTANCE


@pytest.mark.parametrize("size", [(320, 240), (64, 64), (5, 3), (1, 1), (320, 1)])
def test_a_plain_image_has_no_quality(size: tuple[int, int]) -> None:
    """An image of one colour, of any size, has a hash that is not compared."""
    assert pdq(Image.new("RGB", size, (90, 120, 60)))[1] == 0
