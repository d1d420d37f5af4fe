"""Texts that users write: tags, names, captions and comments, in any script."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage import texts

# fmt: off
SCRIPTS = [
    "हिन्दी", "भारत", "தமிழ்", "മലയാളം", "বাংলা", "မြန်မာ", "ខ្មែរ", "อนิเมะ", "مُحَمَّد", "می‌خواهم",
    "שָׁלוֹם", "བོད", "ශ්‍රී", "ন্‍", "র‍্যাব", "ქართული", "ハリー・ポッター", "〇", "l·l", "café", "2026",
    "a-b_c", "_x", "c++", "🇩🇪", "👩🏽‍🚀", "☀",
]
# fmt: on
INVISIBLE = [
    "\u200b",
    "\u2800",
    "\u3164",
    "\u00ad",
    "\u115f",
    "\uffa0",
    "\ufeff",
    "\u2060",
    "\U000e0041",
    "\u180e",
    "\U00013430",
]


@pytest.mark.parametrize("text", SCRIPTS)
def test_words_of_all_scripts_are_tags(text: str) -> None:
    """Vowel signs, points and the joiners that a word needs are kept."""
    assert texts.tag(f"#{text}") == text


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("#Space", "space"),
        ("##Space", "space"),
        ("＃ＦＵＬＬ", "full"),
        (" sea ", "sea"),
        ("İstanbul", "i\u0307stanbul"),
        ("i\u0307STANBUL", "i\u0307stanbul"),
        ("Straße", "strasse"),
        ("STRASSE", "strasse"),
        ("ΟΔΟΣ", "οδοσ"),
        ("οδος", "οδοσ"),
        ("CAFE\u0301", "café"),
        ("❤️", "❤"),
        ("1️⃣", "1⃣"),
    ],
)
def test_spellings_of_a_tag_are_one(text: str, tag: str) -> None:
    """Case, width, composition, variation selectors and a leading # make no difference."""
    assert texts.tag(text) == tag


@pytest.mark.parametrize("symbol", ["\u200b", "\u200c", "\u200d", "\u00ad", "\u2060", "\ufe0f", "\u034f", "\u200f"])
def test_a_tag_has_no_invisible_variants(symbol: str) -> None:
    """Invisible characters that do not change how a word is written are dropped."""
    for text in (f"{symbol}sea", f"s{symbol}ea", f"sea{symbol}", f"sea{symbol}{symbol}", f"#{symbol}sea"):
        assert texts.tag(text) == "sea"
    assert texts.tag("می‌" + symbol + "خواهم") == "می‌خواهم"


def test_a_joiner_that_joins_nothing_is_dropped() -> None:
    """After a letter that never joins the next one, a joiner is invisible and is dropped."""
    assert texts.tag("آزاد\u200cراه") == texts.tag("آزادراه")
    assert texts.tag("خانه\u200c") == texts.tag("خانه")


@pytest.mark.parametrize(
    "text",
    [
        "", "#", "a b", "_", "-", "+-_", "-a", "<b>", "x" * 51, "a\0", "\u202ea", "a\u2066b", "\u2800", "\u3164",
        "\u200d",
        "\u0301a", "a.b", "a/b", "a" + "\u0316\u0317" * 20, "a\ud800", "a\u200d" * 30_000,
    ],
)  # fmt: skip
def test_other_texts_are_no_tags(text: str) -> None:
    """Spaces, markup, controls, and texts without a letter are refused."""
    with pytest.raises(ValueError, match=r"A tag has|At most 8"):
        texts.tag(text)


@given(st.text(max_size=20))
def test_the_form_of_a_tag_is_stable(text: str) -> None:
    """The normal form of a tag is its own normal form, so that a link to a tag finds it."""
    try:
        tag = texts.tag(text)
    except ValueError:
        return
    assert texts.tag(tag) == tag


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5))
def test_every_word_of_letters_is_a_tag(text: str) -> None:
    """Letters and numbers of every script are allowed, as are tags stored by earlier versions."""
    lower = unicodedata.normalize("NFKC", text).lower()
    if lower.isalnum() and not texts.is_blank(lower):
        assert texts.tag(lower) == texts.tag(text)


@pytest.mark.parametrize("text", [*INVISIBLE, "", "   ", "\u200b \u2800", "".join(INVISIBLE), "\u3000", "\U0001d159"])
def test_a_text_that_shows_nothing_is_empty(text: str) -> None:
    """Invisible characters alone are an empty text."""
    assert texts.is_blank(text)
    assert texts.single_line(text) == ""
    assert texts.multi_line(f"{text}\n{text}") == ""


@pytest.mark.parametrize("text", ["Ann", "👩🏽‍🚀", "❤️", "می‌خواهم", "한국", "\u0600", "א", "۝"])
def test_a_visible_text_is_kept(text: str) -> None:
    """Invisible characters within a text that shows something stay."""
    assert texts.single_line(text) == texts.multi_line(text) == text


def test_a_line_has_single_spaces() -> None:
    """Spaces of every kind become one space, and controls and overrides are refused."""
    assert texts.single_line("  a \u3000 b\u00a0") == "a b"
    for text in ("a\nb", "a\x07", "\u202egpj.exe", "a\u2028b"):
        with pytest.raises(ValueError, match="Control characters"):
            texts.single_line(text)


@pytest.mark.parametrize("rule", [texts.single_line, texts.multi_line])
@pytest.mark.parametrize(
    "text",
    ["a" + "\u0301" * 9, "\u0301" * 300, "a" + "\u0301\u200b" * 9, "ก" + "\u0e47" * 20, "a" + "\u20dd" * 9],
)
def test_a_tower_of_marks_is_refused(rule: object, text: str) -> None:
    """More than eight marks on one character are refused, also with invisible characters between them."""
    with pytest.raises(ValueError, match="At most 8 combining marks"):
        rule(text)  # type: ignore[operator]


@pytest.mark.parametrize("text", ["a" + "\u0301" * 8, "ཧྐྵྨླྺྼྻྂ", "בְּרֵאשִׁ֖ית", "မြန်မာ", "e\u0301" * 300, "👩🏽‍🚀" * 50])
def test_the_marks_of_living_scripts_are_allowed(text: str) -> None:
    """Up to eight marks on each character are kept."""
    assert texts.multi_line(text) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\n\nb", "a\n\nb"),
        ("a\n\n\nb", "a\n\n\nb"),
        ("a" + "\n" * 300 + "b", "a\n\n\nb"),
        ("a" + "\r\n" * 9 + "b", "a\n\n\nb"),
        ("a" + "\r" * 9 + "b", "a\n\n\nb"),
        ("a" + "\u2028" * 9 + "b", "a\n\n\nb"),
        ("a" + "\n \u2800\t" * 9 + "\nb", "a\n\n\nb"),
        ("\n\u200b\na\n\u3164\n", "a"),
        ("a\n\tb  c", "a\n\tb  c"),
    ],
)
def test_blank_lines_in_a_row_are_limited(text: str, kept: str) -> None:
    """Of blank lines two in a row are kept, of whatever they consist, and none at the ends."""
    assert texts.multi_line(text) == kept


def test_folding_is_canonical() -> None:
    """Texts that differ in case or composition alone have one folded form."""
    assert texts.fold("ANN") == texts.fold("ann")
    assert texts.fold("İ") == texts.fold("I\u0307") == texts.fold("i\u0307")
    assert texts.fold("ᾳ\u0301") == texts.fold("ᾼ\u0301")
