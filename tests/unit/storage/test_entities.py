"""Mentions and tags in texts."""

from __future__ import annotations

import pytest

from storage import texts
from storage.entities import MAX_MENTIONS, mentions_in, tags_in, tags_of_photo
from storage.models import Mention
from storage.render.entities import entities_fields


def cut(text: str, offset: int, length: int) -> str:
    """Return the range of a text as a client with UTF-16 strings does."""
    units = text.encode("utf-16-le")
    return units[2 * offset : 2 * (offset + length)].decode("utf-16-le")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ann", ["@ann"]),
        ("hi @Ann.B_1, and (@ben)!", ["@Ann.B_1", "@ben"]),
        ("thanks @ann. Bye", ["@ann"]),
        ("😀 @ann 👨‍👩‍👧 @ben", ["@ann", "@ben"]),
        ("ann@example.org ann.@example ann+@example", []),
        ("https://example.org/@ann", []),
        ("@ann@example.org @ann.b@example.org", []),
        ("@annaé é@anna", []),
        ("@an @_ann @ @. @...", []),
        ("@" + "a" * 30, ["@" + "a" * 30]),
        ("@" + "a" * 31, []),
        ("@@ann", []),
        ("@ann's @ben-marie", ["@ann", "@ben"]),
        ("\n@ann\t@ben", ["@ann", "@ben"]),
    ],
)
def test_mentions(text: str, names: list[str]) -> None:
    """A mention is a username after @, not in an address or URL; its range is in UTF-16 code units."""
    found = mentions_in(text)
    assert [cut(text, each.offset, each.length) for each in found] == names
    assert [each.name for each in found] == [name[1:].lower() for name in names]


def test_a_text_mentions_at_most_twenty_names() -> None:
    """Further names are plain text; those that were mentioned already are not further ones."""
    text = " ".join(f"@user{number}" for number in range(MAX_MENTIONS + 2)) + " @USER0"
    assert [each.name for each in mentions_in(text)] == [*(f"user{number}" for number in range(MAX_MENTIONS)), "user0"]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#Sun", {"#Sun": "sun"}),
        ("a #sun, #Straße! #日本語。", {"#sun": "sun", "#Straße": "strasse", "#日本語": "日本語"}),
        ("😀#sun #c++ #a-b-", {"#sun": "sun", "#c++": "c++", "#a-b": "a-b"}),
        ("a#b &#39; /#x ##y # #! #---", {}),
        ("#" + "x" * 51, {}),
        ("#❤️", {"#❤️": "❤"}),
    ],
)
def test_tags(text: str, tags: dict[str, str]) -> None:
    """A tag is what the tags of a photo are, after # at the beginning of a word."""
    assert {cut(text, each.offset, each.length): each.name for each in tags_in(text)} == tags


def test_a_long_run_of_tag_characters_takes_little_time() -> None:
    """Each # is looked at up to a bounded length."""
    assert tags_in("#" + "\u200d" * 100_000) == []


def test_a_photo_is_found_under_its_tags_and_those_of_its_caption() -> None:
    """Each counts once, and all together up to the limit."""
    assert tags_of_photo(["sun", "sea"], "#Sun over #mountains") == ["sun", "sea", "mountains"]
    many = [f"t{number}" for number in range(texts.MAX_TAGS)]
    assert tags_of_photo(many, "#more") == many


def test_entities_are_sorted_by_their_place() -> None:
    """Mentions of the stored accounts and tags are listed together; a mention without an account is plain text."""
    text = "#sun @ben @ann"
    fields = entities_fields(text, [Mention(offset=10, length=4, user_id=5)])
    assert fields == [
        {"type": "tag", "offset": 0, "length": 4, "tag": "sun"},
        {"type": "mention", "offset": 10, "length": 4, "user_id": "0000000000005"},
    ]
    assert entities_fields("plain", []) == []
