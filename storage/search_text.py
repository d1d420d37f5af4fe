"""The forms in which names, tags and captions are searched, in any script; they use the standard library alone.

Texts are compared without case, accents and punctuation. All of this is done here and not in PostgreSQL, so it depends
on no extension and no locale of a database. An index of trigrams (pg_trgm) sees the letters of its database's locale
only, and with the locale C those of ASCII; `key` therefore writes every other letter as two symbols of ASCII.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storage import texts

MAX_QUERY = 100  # characters
MAX_QUERY_WORDS = 8  # of a query; further ones are ignored
SHORT = 2  # letters; a part of a word is found by three or more, the beginning of one by fewer
_MAX_WORD = 40  # letters that are kept of a word
_PREFIX_LETTERS = 3  # of the last word of a query, from which on it may be the beginning of a word

# Letters that have a form without their stroke or ligature, but no decomposition in Unicode.
_PLAIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ـ": ""}
)
_VOICING = "\u3099\u309a"  # of Japanese syllables, which are other letters and no accents
_NAME = re.compile(r"[a-z0-9][a-z0-9_.]*")
# Scripts without spaces between words: Thai, Lao, Burmese, Khmer, Japanese and Chinese.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_RUNS = re.compile(rf"{_UNSPACED.pattern}|[^\s{_UNSPACED.pattern[1:-2]}]+")
_SYMBOLS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchedText:
    """What a user searches for.

    `words` are its words without case and accents, `keys` the same in the form of the index, `name` is the whole text
    if it may be a username or its beginning, and "" otherwise. `lexemes` is a tsquery for photos, "" if it has no word.
    """

    words: tuple[str, ...]
    keys: tuple[str, ...]
    name: str
    lexemes: str

    @property
    def key(self) -> str:
        """The words as one text, in the form of the index."""
        return " ".join(self.keys)

    @property
    def patterns(self) -> list[str]:
        """The patterns of LIKE that a name fits which has all words, each after a space or within a word."""
        return [
            f"% {key}%" if len(word) <= SHORT else f"%{key}%" for word, key in zip(self.words, self.keys, strict=True)
        ]

    @property
    def is_certain(self) -> bool:
        """Whether the index finds only what `fits`: in a key, two letters in a row are always those of the text."""
        return all(word.isascii() and word.isalpha() for word in self.words)

    def fits(self, *names: str) -> bool:
        """Return whether names have all words; the index may find others, since `key` is not reversible."""
        found = " ".join(["", *map(plain, names)])
        return all((f" {word}" if len(word) <= SHORT else word) in found for word in self.words)

    def resembles(self, *names: str) -> bool:
        """Return whether names have two letters in a row of those of the words, as similar ones do."""
        found = " ".join(map(plain, names))
        return any(pair in found for word in self.words for pair in _pairs(word))


def parse(text: str) -> SearchedText:
    """Return what to search for; the text may contain anything."""
    text = text[:MAX_QUERY].strip()
    name = text.removeprefix("@").lower()
    words = tuple(dict.fromkeys(plain(text).split()))[:MAX_QUERY_WORDS]
    return SearchedText(
        words=words,
        keys=tuple(map(_encode, words)),
        name=name if _NAME.fullmatch(name) else "",
        lexemes=" & ".join(_query_lexemes(words)),
    )


def plain(text: str) -> str:
    """Return the letters, digits and pictographs of a text without case and accents, words separated by one space."""
    decomposed = unicodedata.normalize("NFKD", texts.fold(text)).translate(_PLAIN)
    kept = "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn" or letter in _VOICING)
    composed = unicodedata.normalize("NFKC", kept)
    return " ".join("".join(map(_spaced, composed)).split())


def key(text: str) -> str:
    """Return `plain` in letters and digits of ASCII: every other letter as two of them, equal for equal letters.

    So the trigrams of a text in any script say as much as those of a Latin one. Different letters of one alphabet are
    different here, too, since 360 consecutive ones are. Of others a few are equal.
    """
    return _encode(plain(text))


def lexemes(parts: Iterable[str]) -> list[str]:
    """Return the words of texts, each once, for a tsvector.

    Of a script without spaces these are its letters and pairs of letters, so that any part of a text is found.
    """
    found: dict[str, None] = {}
    for part in parts:
        for run in _runs(plain(part)):
            if _UNSPACED.match(run):
                found.update(dict.fromkeys(run))
                found.update(dict.fromkeys(_pairs(run)))
            else:
                found[run[:_MAX_WORD]] = None
    return list(found)


def _query_lexemes(words: Iterable[str]) -> Iterator[str]:
    """Yield the parts of a tsquery: words as they are, and the last one as a beginning if it is long enough."""
    runs = [run for word in words for run in _runs(word)]
    for place, run in enumerate(runs, 1):
        if _UNSPACED.match(run):
            yield from (f"'{pair}'" for pair in dict.fromkeys(_pairs(run) or [run]))
        elif place == len(runs) and _PREFIX_LETTERS <= len(run) <= _MAX_WORD:
            yield f"'{run}':*"
        else:
            yield f"'{run[:_MAX_WORD]}'"


def _runs(text: str) -> list[str]:
    return _RUNS.findall(text)


def _pairs(run: str) -> list[str]:
    return [run[place : place + 2] for place in range(len(run) - 1)]


def _encode(text: str) -> str:
    return text if text.isascii() else "".join(letter if letter.isascii() else _two_symbols(letter) for letter in text)


def _two_symbols(letter: str) -> str:
    number = ord(letter) % 360
    return _SYMBOLS[number // 36] + _SYMBOLS[number % 36]


def _spaced(letter: str) -> str:
    category = unicodedata.category(letter)
    if category == "So":  # a pictograph is a word of its own
        return f" {letter} "
    return letter if category[0] in "LN" or category in {"Mc", "Mn"} else " "
