"""Catalogues of translated texts, read from the files `<language>/<domain>.po` of this package (GNU gettext)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_datetime
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from locales.sentences import Sentence, Value, filled

FOLDER = Path(__file__).parent
ENGLISH = "en"
# The languages by their codes (BCP 47), as they name themselves.
LANGUAGES: Mapping[str, str] = {ENGLISH: "English", "de": "Deutsch", "ar": "العربية"}
DOMAINS = ("page", "server")
# Between the context of a text and the text itself, as in compiled files of gettext.
CONTEXT_END = "\x04"
# The forms of plurals in the order of the catalogues; each language has some of them (CLDR).
_FORMS = ("zero", "one", "two", "few", "many", "other")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ISOLATE, _END = "\u2068", "\u2069"

Texts = Mapping[str, str | tuple[str, ...]]


@cache
def texts_of(language: str, domain: str) -> Texts:
    """Return the translations of a language, and lists of plural forms, by their English texts."""
    if language == ENGLISH:
        return {}
    with (FOLDER / language / f"{domain}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    texts: dict[str, str | tuple[str, ...]] = {}
    for message in catalogue:
        text = message.id if isinstance(message.id, str) else message.id[0]
        translation = translation_of(message)
        if text and not message.fuzzy and all(translation):
            key = text if message.context is None else f"{message.context}{CONTEXT_END}{text}"
            texts[key] = translation[0] if isinstance(message.id, str) else translation
    return texts


def translation_of(message: Message) -> tuple[str, ...]:
    """Return the forms of a translation, one for a text without a number; an empty one is missing."""
    string = message.string
    return (string,) if isinstance(string, str) else tuple(string or ("",))


def plural_forms(language: str) -> tuple[str, ...]:
    """Return the forms of plurals of a language, in the order of its catalogues."""
    rules = Locale.parse(language).plural_form
    return tuple(form for form in _FORMS if form in rules.tags or form == "other")


def direction(language: str) -> str:
    """Return the direction in which a language is written, "ltr" or "rtl"."""
    return Locale.parse(language).text_direction


def translate(text: str, language: str) -> str:
    """Return a text of the server in a language; one that is in no catalogue stays English."""
    if language == ENGLISH:
        return str(text)
    texts = texts_of(language, "server")
    if not isinstance(text, Sentence):
        found = texts.get(text)
        return found if isinstance(found, str) else text
    found = texts.get(text.template)
    if found is None:
        return str(text)
    if isinstance(found, tuple):
        form = Locale.parse(language).plural_form(_number(text.values["count"]))
        found = found[plural_forms(language).index(form)]
    return filled(found, {name: _written(value, language) for name, value in text.values.items()})


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError("the count of a sentence is a number")
    return value


def _written(value: Value, language: str) -> str:
    if isinstance(value, datetime):
        return format_datetime(value.astimezone(UTC), format="long", locale=language)
    if isinstance(value, int):
        return format_decimal(value, locale=language)
    # A name that happens to be a text of the catalogue stays as it is.
    text = translate(value, language) if isinstance(value, Sentence) else value
    # A name must not change the direction of what is around it.
    isolate = direction(language) == "rtl" or _RIGHT_TO_LEFT.search(text) is not None
    return f"{_ISOLATE}{text}{_END}" if isolate else text
