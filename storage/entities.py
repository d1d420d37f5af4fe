"""Mentions and tags in the texts that users write: where they are, and what they name.

A mention is "@" and a username. It does not follow a letter, a digit or a character that occurs in e-mail addresses and
URLs, so "ann@example.org" has none. Full stops at its end belong to the sentence. A tag is "#" and the letters of
`storage.texts.tag`. Ranges are in UTF-16 code units, in which most languages of clients index their strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storage import texts

MAX_MENTIONS = 20  # different names in one text; further ones are plain text

_MENTION = re.compile(r"(?<![\w.%+\-/@])@([A-Za-z0-9_.]++)(?![\w@])")
_USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.]{1,28}[A-Za-z0-9_]")
_HASH = re.compile(r"(?<![\w&/#])#")


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """A mention or a tag in a text: its range, and the username in lower case or the tag in its normal form."""

    offset: int
    length: int
    name: str


def mentions_in(text: str) -> list[Named]:
    """Return the mentions of the first `MAX_MENTIONS` names, in order."""
    names: set[str] = set()
    spans: list[tuple[int, int, str]] = []
    for found in _MENTION.finditer(text):
        name = found[1].rstrip(".").lower()
        if _USERNAME.fullmatch(name) is None or (name not in names and len(names) == MAX_MENTIONS):
            continue
        names.add(name)
        spans.append((found.start(), found.start() + 1 + len(name), name))
    return list(_named(text, spans))


def tags_in(text: str) -> list[Named]:
    """Return the tags, in order; what is no valid tag is left out."""
    return list(_named(text, _tag_spans(text)))


def tags_of_photo(tags: Iterable[str], caption: str) -> list[str]:
    """Return the tags under which a photo is found: its own, and those in its caption, up to `texts.MAX_TAGS`."""
    return list(dict.fromkeys([*tags, *(found.name for found in tags_in(caption))]))[: texts.MAX_TAGS]


def _tag_spans(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _HASH.finditer(text):
        end = texts.tag_end(text, found.end())
        while end > found.end() and text[end - 1] == "-":
            end -= 1
        try:
            yield found.start(), end, texts.tag(text[found.end() : end])
        except ValueError:
            continue


def _named(text: str, spans: Iterable[tuple[int, int, str]]) -> Iterator[Named]:
    """Yield the spans, which are in order, with ranges in UTF-16 code units."""
    position = units = 0
    for start, end, name in spans:
        units += _units(text[position:start])
        length = _units(text[start:end])
        yield Named(offset=units, length=length, name=name)
        position, units = end, units + length


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
