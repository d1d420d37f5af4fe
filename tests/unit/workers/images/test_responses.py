"""Responses of a decoder process that an image has taken over."""

from __future__ import annotations

from typing import Any

import pytest

from storage.blobs.variants import Variant
from tests.support.pictures import encoded, halves
from workers.images.published import ForeignBytesError
from workers.images.responses import InvalidResponseError, decoded_of, made_of, reason_of
from workers.images.rights import rights_packet

VARIANTS = [Variant(side=320, square=False, format="jpg"), Variant(side=320, square=False, format="webp")]
FILES = {"320.jpg": encoded(halves()), "320.webp": encoded(halves(), "WEBP")}
DECODED: dict[str, Any] = {
    "width": 60,
    "height": 40,
    "placeholder": "abc",
    "exif": {},
    "texts": {},
    "hdr": False,
    "motion": False,
    "variants": FILES,
    "pdq": "0f" * 32,
    "pdq_quality": 100,
}


def test_the_response_of_a_decoder_is_used() -> None:
    """The response of a decoder passes the check."""
    assert decoded_of({"decoded": DECODED}, VARIANTS).variants == FILES
    assert made_of({"made": FILES}, VARIANTS) == FILES
    assert reason_of({"rejected": "the picture is damaged"}) == "the picture is damaged"
    assert reason_of({"decoded": DECODED}) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"width": "60"},
        {"width": 0},
        {"height": 1 << 40},
        {"height": True},
        {"placeholder": None},
        {"placeholder": "x" * 1_000_000},
        {"exif": []},
        {"texts": []},
        {"texts": {"note": "x"}},
        {"texts": {"caption": 1}},
        {"texts": {"caption": "x" * 100_000}},
        {"motion": 1},
        {"hdr": 1},
        {"variants": []},
        {"variants": {}},
        {"variants": FILES | {"../../x.jpg": b"\xff\xd8\xff"}},
        {"variants": FILES | {"320.jpg": b"<html><script>alert(1)</script>"}},
        {"variants": FILES | {"320.webp": FILES["320.jpg"]}},
        {"variants": FILES | {"320.jpg": "text"}},
        {"pdq": "0F" * 32},
        {"pdq": "0f" * 31},
        {"pdq": b"0f" * 32},
        {"pdq_quality": 101},
        {"pdq_quality": True},
        {"more": 1},
    ],
)
def test_another_response_is_not_used(changed: dict[str, Any]) -> None:
    """Values of other types, other variants and files of other formats are refused."""
    with pytest.raises(InvalidResponseError):
        decoded_of({"decoded": DECODED | changed}, VARIANTS)


@pytest.mark.parametrize("response", [{}, {"decoded": None}, {"decoded": {"width": 1}}, {"made": FILES}])
def test_a_response_without_an_image_is_not_used(response: dict[str, Any]) -> None:
    """A response without the parts of a decoded image is refused."""
    with pytest.raises(InvalidResponseError):
        decoded_of(response, VARIANTS)


def test_other_made_variants_are_not_used() -> None:
    """Only the variants that were asked for are used."""
    for made in ({}, FILES | {"640.jpg": FILES["320.jpg"]}, {"320.jpg": FILES["320.jpg"]}, None):
        with pytest.raises(InvalidResponseError):
            made_of({"made": made}, VARIANTS)


@pytest.mark.parametrize("reason", [b"bytes", "", "x" * 100_000, "a\x1b[31mb"])
def test_a_reason_is_a_short_text(reason: object) -> None:
    """A reason that is no short printable text is refused: it is shown to the user."""
    with pytest.raises(InvalidResponseError):
        reason_of({"rejected": reason})


def test_variants_have_the_rights_that_the_response_names() -> None:
    """Creator and licence in the variants are those of the texts in the response, and only if they were asked for."""
    texts = {"creator": "Ann"}
    packet = rights_packet(texts)
    files = {"320.jpg": encoded(halves(), xmp=packet), "320.webp": encoded(halves(), "WEBP", xmp=packet)}
    named = {"decoded": DECODED | {"texts": texts, "variants": files, "rights": False}}
    assert decoded_of(named, VARIANTS, True).rights
    assert made_of({"made": files, "texts": texts}, VARIANTS, True) == files
    assert not decoded_of({"decoded": DECODED | {"texts": texts, "rights": True}}, VARIANTS).rights
    for response in (named, {"decoded": DECODED | {"texts": {"creator": "Eve"}, "variants": files}}):
        with pytest.raises(ForeignBytesError):
            decoded_of(response, VARIANTS, response is not named)
    for others in ({"texts": {"creator": "Eve"}}, {}):
        with pytest.raises(ForeignBytesError):
            made_of({"made": files, **others}, VARIANTS, True)
