"""What signals take for the same comment, and for a link."""

from __future__ import annotations

import pytest

from workers.signals.texts import digest, links

TEXT = "Great shot! Visit my profile for more"


@pytest.mark.parametrize(
    "other",
    [
        "great shot visit my profile for MORE!!!",
        "Gréat   shot.\nVisit my profile, for more 🔥🔥",
        "Ｇreat shot! Visit my profile for more",
        "G.r.e.a.t s-h-o-t visit my profile for more",
    ],
)
def test_the_same_text(other: str) -> None:
    """Case, accents, spaces, signs, emoji and other forms of letters do not matter."""
    assert digest(other) == digest(TEXT)


def test_other_texts() -> None:
    """A different word makes a different text; scripts without case are compared as well."""
    assert digest("Great shot! Visit my profile for less") != digest(TEXT)
    assert digest("とても素敵な写真ですね、私のページも見てください") is not None


@pytest.mark.parametrize("text", ["", "wow", "So beautiful!", "❤️❤️❤️❤️❤️❤️❤️❤️❤️❤️❤️❤️❤️❤️❤️❤️", "!!!!!!!!!!!!!!!!!!!!!"])
def test_short_texts_are_not_noticed(text: str) -> None:
    """Praise of a few words, and symbols, are what many write."""
    assert digest(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("see https://example.com/a?b=c and HTTP://EXAMPLE.ORG", 2),
        ("www.example.de", 1),
        ("buy at cheap-watches.shop now", 1),
        ("cheap.watches.example.xyz, bit.ly/abc", 2),
        ("ｈttps://example.com", 1),
        ("my camera is a D750. It is old", 0),
        ("photo.jpg, report.pdf and notes.txt", 0),
        ("I was there at 10.30, f/2.8, 1.5 km", 0),
        ("a.b", 0),
        ("ann@example.com", 1),
        ("", 0),
    ],
)
def test_links(text: str, number: int) -> None:
    """Addresses with a scheme, with www, or with an ending that spam has; names of files and numbers are none."""
    assert links(text) == number


def test_a_long_text_takes_no_long_time() -> None:
    """The pattern does not try the same characters again and again."""
    assert links("a." * 5_000) == 0
    assert links("www" * 5_000) == 0
    assert links("a-" * 5_000 + ".com") <= 1
