"""The forms of texts in the search index, and what is made of a text that a user types."""

from __future__ import annotations

import pytest

from storage.search_text import key, lexemes, parse, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("José  Łuński", "jose lunski"),
        ("STRASSE Straße", "strasse strasse"),
        ("Æsop's Þór", "aesop s thor"),
        ("anna_b.c-d", "anna b c d"),
        ("Мария Ёлкина", "мария елкина"),
        ("ΜΕΓΑΣ", "μεγασ"),
        ("إسلام", "اسلام"),
        ("がぎ か", "がぎ か"),  # a syllable with a mark of voice is another letter
        ("한국어", "한국어"),
        ("ｗｉｄｅ", "wide"),
        ("sun🌸day", "sun 🌸 day"),
        ("%_\\'\"*", ""),
    ],
)
def test_case_accents_and_punctuation_do_not_count(text: str, expected: str) -> None:
    """Two texts that a reader takes for the same word have one form."""
    assert plain(text) == expected


def test_a_key_has_letters_of_ascii_alone() -> None:
    """The index of trigrams sees no others in a database with the locale C; letters of one alphabet stay different."""
    assert key("Anna Łuk") == "anna luk"
    assert key("мария").isascii()
    assert len(key("мария")) == 10
    cyrillic = [key(chr(number)) for number in range(0x430, 0x450)]
    assert len(set(cyrillic)) == len({plain(chr(number)) for number in range(0x430, 0x450)})
    assert key("мария")[4:8] == key("ри")


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("anna", ["%anna%"]),
        ("ann", ["%ann%"]),
        ("an", ["% an%"]),
        ("anna b", ["%anna%", "% b%"]),
        ("100%_", ["%100%"]),
        ("李明", [f"% {key('李明')}%"]),
        ("  ", []),
    ],
)
def test_short_words_are_beginnings(text: str, patterns: list[str]) -> None:
    """A word of three letters is found within a name, a shorter one at the beginning of a word of it only."""
    assert parse(text).patterns == patterns


@pytest.mark.parametrize(
    ("text", "name"), [("@Anna_B", "anna_b"), ("anna.", "anna."), ("anna b", ""), ("_anna", ""), ("мария", "")]
)
def test_a_username_is_recognised(text: str, name: str) -> None:
    """A text that may be a username, or the beginning of one, is also compared as a whole."""
    assert parse(text).name == name


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Sunset", "'sunset':*"),
        ("at sea", "'at' & 'sea':*"),
        ("sea at", "'sea' & 'at'"),
        ("'; DROP | ! & <-> :*", "'drop':*"),
        ("猫", "'猫'"),
        ("黒猫が", "'黒猫' & '猫が'"),
        ("!!", ""),
    ],
)
def test_a_query_for_photos_has_quoted_words_alone(text: str, query: str) -> None:
    """No sign of what was typed is an operator; the last word may be a beginning."""
    assert parse(text).lexemes == query


def test_words_of_scripts_without_spaces_are_found_by_any_part() -> None:
    """A photo has the letters and pairs of letters of such a text."""
    assert lexemes(["黒猫が Cat", "cat"]) == ["黒", "猫", "が", "黒猫", "猫が", "cat"]


def test_a_query_is_bounded() -> None:
    """A long text costs as much as one of the greatest length, and has a few words only."""
    searched = parse(" ".join(f"w{number}" for number in range(5000)))
    assert len(searched.keys) == 8
    assert len(parse("x" * 10_000).key) == 100


@pytest.mark.parametrize(
    ("typed", "names", "fits"),
    [
        ("anna sm", ("anna_smith", "A"), True),
        ("mith", ("anna_smith", "A"), True),
        ("it", ("anna_smith", "A"), False),
        ("мар", ("u1", "Ольга Мар"), True),
        ("мар", ("u1", "049s08"), False),  # what the index has of these letters
    ],
)
def test_a_name_has_all_words(typed: str, names: tuple[str, ...], fits: bool) -> None:
    """What the index finds is compared with the names themselves."""
    assert parse(typed).fits(*names) is fits


@pytest.mark.parametrize(
    ("text", "certain"), [("anna", True), ("A b", True), ("a1", False), ("anna 7", False), ("мария", False)]
)
def test_letters_of_ascii_are_found_where_they_are(text: str, certain: bool) -> None:
    """What the index finds for them needs no comparison: the key of another script has no two letters in a row."""
    assert parse(text).is_certain is certain
    assert all(key(chr(number))[0].isdigit() for number in (0x43C, 0x5D0, 0x4E00, 0x1F600))


@pytest.mark.parametrize(
    ("text", "name", "similar"),
    [("мрия", "Мария", True), ("李明", "李海", False), ("李明", "王李明", True), ("a1", "b2", False)],
)
def test_similar_names_have_two_letters_in_a_row(text: str, name: str, similar: bool) -> None:
    """The index may take other letters for similar ones."""
    assert parse(text).resembles(name) is similar
