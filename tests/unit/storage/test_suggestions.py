"""Which texts of a file are suggested to its author, and in which form."""

from __future__ import annotations

import pytest

from storage.suggestions import suggestions
from storage.texts import MAX_ALT_TEXT, MAX_CAPTION

BOILERPLATE = [
    "OLYMPUS DIGITAL CAMERA",
    "KONICA MINOLTA DIGITAL CAMERA",
    "KODAK Digital Still Camera",
    "SONY DSC",
    "SAMSUNG CAMERA PICTURES",
    "DCIM",
    r"DCIM\100MEDIA\DJI_0042.JPG",
    "/DCIM/100GOPRO",
    "Exif_JPEG_PICTURE",
    "Exif JPEG Picture",
    "IMG_1234",
    "DSC01234",
    "PXL_20261128_101112",
    "holiday 2026.jpeg",
    "Created with GIMP",
    "CREATOR: gd-jpeg v1.0 (using IJG JPEG v62), quality = 90",
    "Screenshot",
    "Screenshot_2026-11-28",
    "cof",
    "oznor",
    "hdrpl",
    "default",
]
WRITTEN = [
    "A dog on a beach",
    "Sunset",
    "My first digital camera, from 1999",
    "Sony",
    "Created for my sister",
    "P",
    "The DCIM folder explained",
    "犬",
]


@pytest.mark.parametrize("text", BOILERPLATE)
def test_what_cameras_write_is_not_suggested(text: str) -> None:
    """What no person wrote is no suggestion."""
    assert suggestions({"alt_text": text, "caption": f" {text} "}) == {}


@pytest.mark.parametrize("text", WRITTEN)
def test_what_a_person_wrote_is_suggested(text: str) -> None:
    """A text that only resembles what cameras write is suggested."""
    assert suggestions({"caption": text}) == {"caption": text}


def test_a_suggestion_is_what_the_api_accepts() -> None:
    """The rules for captions apply: blank lines and invisible texts; what would be refused is not suggested."""
    assert suggestions({"alt_text": "\u200b", "caption": " one\r\n\n\n\n\ntwo "}) == {"caption": "one\n\n\ntwo"}
    assert suggestions({"alt_text": "Z" + "\u0301" * 9, "caption": "a\0b"}) == {}
    assert suggestions({"creator": "Ann"}) == {}


def test_a_long_text_is_cut() -> None:
    """What is too long for the field is cut so that it fits."""
    cut = suggestions({"alt_text": "word " * 1000, "caption": "x" * MAX_CAPTION})
    assert (len(cut["caption"]), len(cut["alt_text"])) == (MAX_CAPTION, MAX_ALT_TEXT)
    assert cut["alt_text"].endswith("word word…")
