"""Rules of the texts that users write, in any script; they use the standard library alone.

The functions return a text in the form in which it is stored and raise `ValueError`, with a sentence for the user, if
it is not allowed. The rules for characters follow the Unicode Standard: UAX #31 for tags, UAX #44 for the properties.
"""

from __future__ import annotations

import re
import unicodedata

from locales.sentences import sentence

MAX_CAPTION = 2200  # characters
MAX_ALT_TEXT = 1000  # characters
MAX_TAGS = 30  # of a photo
MAX_TAG_LETTERS = 50  # of a new tag; combining marks and joiners are not counted
MAX_TAG_LENGTH = 100  # characters of a stored tag, with marks and joiners
_MAX_TAG_INPUT = 500  # characters; joiners are judged by their neighbours, which must not take long
# The tallest stacks of living scripts are Tibetan, with up to eight marks; Hebrew with vowels and accents has four.
MAX_MARKS = 8
MAX_BLANK_LINES = 2

# The property Default_Ignorable_Code_Point (DerivedCoreProperties.txt): shown as nothing.
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Symbols that have no ink either: the empty Braille pattern, annotation anchors, the object replacement character,
# a filler, Egyptian joiners and blanks, and the null note.
_BLANK = re.compile(
    rf"(?:\s|{_IGNORABLE.pattern}|[\u2800\ufff9-\ufffc\U00013430-\U0001343f\U00013441\U00013442\U00016fe4\U0001d159])*"
)
# Characters that reorder the text around them, so that a name can imitate another (CVE-2021-42574).
_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LINE_END = re.compile("\r\n?|[\u2028\u2029]")

_ZWNJ, _ZWJ = "\u200c", "\u200d"
# Emoji, with the symbols of the same blocks, so that emoji of later versions are in. What NFKC replaces is missing.
_PICTOGRAPH = re.compile(
    "[\u00a9\u00ae\u2194-\u2199\u21a9\u21aa\u231a-\u231b\u2328\u23cf\u23e9-\u23fa\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe"
    "\u2600-\u27bf\u2934\u2935\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u303d\U0001f000-\U0001faff\U0001fc00-\U0001fffd]"
)
# Beyond XID_Continue: the hashtag identifiers of UAX #31 allow + and -, and keycap emoji end with U+20E3. The middle
# dot of Japanese names is in XID_Continue since Unicode 15.1 only.
_ALSO_IN_TAGS = frozenset(f"+-\u20e3\u30fb{_ZWNJ}{_ZWJ}")
_VIRAMA_CLASS = 9  # the canonical combining class of the marks that join consonants
# Arabic letters that do not join the letter after them (ArabicShaping.txt), so that no joiner is needed there.
_JOINS_NOTHING_AFTER = re.compile(
    "[\u0621-\u0625\u0627\u0629\u062f-\u0632\u0648\u0671-\u0673\u0675-\u0677\u0688-\u0699\u06c0\u06c3-\u06cb\u06cd"
    "\u06cf\u06d2\u06d3\u06d5\u06ee\u06ef]"
)


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing: it is empty or has only spaces and invisible characters."""
    return _BLANK.fullmatch(text) is not None


def has_blank(text: str) -> bool:
    """Return whether a text has a space or an invisible character anywhere."""
    return any(is_blank(symbol) for symbol in text)


def single_line(text: str) -> str:
    """Return a name or a place: one line with single spaces, "" if nothing of it is visible."""
    if any(unicodedata.category(symbol) in {"Cc", "Cs", "Zl", "Zp"} or symbol in _OVERRIDES for symbol in text):
        raise ValueError("Control characters are not allowed here.")
    _check_marks(text)
    return "" if is_blank(text) else " ".join(text.split())


def multi_line(text: str) -> str:
    """Return a text of several lines, "" if nothing of it is visible.

    Of blank lines in a row `MAX_BLANK_LINES` are kept, and none at either end.
    """
    text = _LINE_END.sub("\n", text)
    if any(unicodedata.category(symbol) in {"Cc", "Cs"} and symbol not in "\n\t" for symbol in text):
        raise ValueError("Control characters other than line breaks and tabs are not allowed.")
    _check_marks(text)
    lines: list[str] = []
    blank = 0
    for line in text.split("\n"):
        if is_blank(line):
            blank += 1
            continue
        if lines:
            lines += [""] * min(blank, MAX_BLANK_LINES)
        lines.append(line)
        blank = 0
    return "\n".join(lines).strip()


def fold(text: str) -> str:
    """Return the form in which texts are compared: equal for texts that differ in case, width or composition.

    Case is folded first, because folding can undo a composition ("İ" becomes "i" and a dot). This is the compatibility
    caseless match of the Unicode Standard (section 3.13, D146).
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def tag(text: str, *, max_letters: int = MAX_TAG_LETTERS) -> str:
    """Return the normal form of a tag: folded, without # and without invisible characters that change nothing.

    A tag is a hashtag identifier (UAX #31, R8), with a letter, digit or emoji, and not beginning with a mark.
    """
    found = fold(text[:_MAX_TAG_INPUT]).strip().lstrip("#")
    found = unicodedata.normalize("NFKC", _without_idle_ignorables(found))
    letters = [symbol for symbol in found if not _is_mark(symbol) and symbol not in (_ZWNJ, _ZWJ)]
    if (
        len(text) > _MAX_TAG_INPUT
        or not 1 <= len(letters) <= max_letters
        or len(found) > MAX_TAG_LENGTH
        or not (_starts_tag(found[0]) or found[0] == "_")
        or not any(map(_starts_tag, letters))
        or not all(map(_continues_tag, found))
    ):
        raise ValueError(
            sentence(
                "A tag has 1 to {max_tag_letters} letters, digits, emoji, underscores or hyphens.",
                max_tag_letters=MAX_TAG_LETTERS,
            )
        )
    _check_marks(found)
    return found


def tag_end(text: str, start: int) -> int:
    """Return the end of the characters from `start` on that may belong to a tag."""
    end, limit = start, min(len(text), start + _MAX_TAG_INPUT + 1)
    while end < limit and (_continues_tag(text[end]) or _IGNORABLE.fullmatch(text[end])):
        end += 1
    return end


def _check_marks(text: str) -> None:
    """Raise `ValueError` if more marks are stacked on one character than any script needs."""
    if text.isascii():
        return
    marks = 0
    for symbol in text:
        # An invisible character between marks does not separate them on the screen.
        if _IGNORABLE.fullmatch(symbol):
            continue
        marks = marks + 1 if _is_mark(symbol) else 0
        if marks > MAX_MARKS:
            raise ValueError(
                sentence("At most {max_marks} combining marks may follow a character.", max_marks=MAX_MARKS)
            )


def _is_mark(symbol: str) -> bool:
    # Spacing marks (Mc) take room of their own, like letters.
    return unicodedata.category(symbol) in {"Mn", "Me"}


def _starts_tag(symbol: str) -> bool:
    return symbol.isalnum() or _PICTOGRAPH.fullmatch(symbol) is not None


def _continues_tag(symbol: str) -> bool:
    # Python's identifiers are those of UAX #31, so that the second character of one has the property XID_Continue.
    return f"a{symbol}".isidentifier() or symbol in _ALSO_IN_TAGS or _starts_tag(symbol)


def _without_idle_ignorables(text: str) -> str:
    """Drop invisible characters, except joiners that change how their word is written (UAX #31, section 2.3)."""
    kept: list[str] = []
    for position, symbol in enumerate(text):
        if (
            not _IGNORABLE.fullmatch(symbol)
            or symbol in _OVERRIDES  # refused later, with the tag
            or _shapes("".join(kept), symbol, text[position + 1 :])
        ):
            kept.append(symbol)
    return "".join(kept)


def _shapes(before: str, joiner: str, rest: str) -> bool:
    """Return whether a joiner between two texts changes their letters' form."""
    last, next_symbol = before[-1:], _IGNORABLE.sub("", rest)[:1]
    # A second joiner in a row changes nothing, and so does one at the beginning.
    if joiner not in (_ZWNJ, _ZWJ) or last in ("", _ZWNJ, _ZWJ):
        return False
    if unicodedata.combining(last) == _VIRAMA_CLASS:
        return joiner == _ZWJ or next_symbol.isalpha()
    if next_symbol and unicodedata.combining(next_symbol) == _VIRAMA_CLASS:
        return True
    if joiner == _ZWJ:
        return bool(_PICTOGRAPH.fullmatch(last) and _PICTOGRAPH.fullmatch(next_symbol))
    letter = next((symbol for symbol in reversed(before) if not _is_mark(symbol)), "")
    # "AL" are the letters of Arabic and its relatives, the scripts whose letters join.
    return _is_arabic(letter) and _is_arabic(next_symbol) and _JOINS_NOTHING_AFTER.fullmatch(letter) is None


def _is_arabic(symbol: str) -> bool:
    return symbol.isalpha() and unicodedata.bidirectional(symbol) == "AL"
