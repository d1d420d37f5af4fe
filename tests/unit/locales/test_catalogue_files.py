"""The catalogues in the repository: complete, and exactly the texts of the sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from locales.catalogues import DOMAINS, ENGLISH, LANGUAGES, plural_forms, translation_of
from locales.extraction import ROOT
from locales.update import catalogue_path, template_of, updated

_CATALOGUES = [(language, domain) for language in LANGUAGES if language != ENGLISH for domain in DOMAINS]
_PLACES = re.compile(r"\{\w+\}|</?\w+>")


def read(path: Path, language: str) -> Catalog:
    """Return the catalogue of a file."""
    with path.open("rb") as file:
        return read_po(file, locale=language)


def texts_of(catalogue: Catalog) -> set[object]:
    """Return the texts of a catalogue with their contexts."""
    return {(message.context, message.id) for message in catalogue if message.id}


def faults_of(message: Message, forms: int) -> Iterator[str]:
    """Yield what is wrong with a translation."""
    english = (message.id,) if isinstance(message.id, str) else message.id
    translations = translation_of(message)
    if message.fuzzy:
        yield "is fuzzy"
    if len(english) == 2 and len(translations) != forms:
        yield f"has {len(translations)} of {forms} plural forms"
    places = set(_PLACES.findall(english[-1]))
    for translation in translations:
        if not translation.strip():
            yield "has no translation"
            continue
        found = set(_PLACES.findall(translation))
        # A form of a plural may do without the number: "one photo".
        optional = {"{count}"} if len(english) == 2 else set()
        if not places - optional <= found <= places:
            yield f"has other places: {translation}"


@pytest.mark.parametrize(("language", "domain"), _CATALOGUES)
def test_a_catalogue_has_the_texts_of_the_sources(language: str, domain: str) -> None:
    """No text is missing in it, and none is unused: `make texts` brings it up to date."""
    found, wanted = texts_of(read(catalogue_path(language, domain), language)), texts_of(template_of(domain))
    assert {"missing": wanted - found, "unused": found - wanted} == {"missing": set(), "unused": set()}


@pytest.mark.parametrize(("language", "domain"), _CATALOGUES)
def test_every_translation_is_complete(language: str, domain: str) -> None:
    """Each text has a translation with the same places and all plural forms of the language, and none is fuzzy."""
    forms = len(plural_forms(language))
    catalogue = read(catalogue_path(language, domain), language)
    faults = {str(message.id): list(faults_of(message, forms)) for message in catalogue if message.id}
    assert {text: found for text, found in faults.items() if found} == {}


@pytest.mark.parametrize(("language", "domain"), _CATALOGUES)
def test_a_catalogue_is_written_as_make_texts_does(language: str, domain: str) -> None:
    """The update of a catalogue that is up to date changes nothing."""
    assert updated(language, domain) == catalogue_path(language, domain).read_bytes()


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (Message("Save", ""), "has no translation"),
        (Message("Save", "Speichern", flags=["fuzzy"]), "is fuzzy"),
        (Message("Delete {name}?", "Löschen?"), "has other places: Löschen?"),
        (Message("See <link>this</link>", "Siehe <a>dies</a>"), "has other places: Siehe <a>dies</a>"),
        (Message(("{count} photo", "{count} photos"), ("{count} Foto",)), "has 1 of 2 plural forms"),
    ],
)
def test_a_fault_is_found(message: Message, fault: str) -> None:
    """Each fault of a translation is named."""
    assert fault in list(faults_of(message, forms=2))


def test_arabic_has_six_plural_forms() -> None:
    """The forms are those of the CLDR, in its order, as `Intl.PluralRules` names them."""
    assert plural_forms("ar") == ("zero", "one", "two", "few", "many", "other")
    assert plural_forms("de") == ("one", "other")


def test_a_text_of_the_page_is_a_literal() -> None:
    """What marks a text gets it as a literal, which can be found."""
    call = re.compile(r"(?<![\w.$#])(?:tn|tc|t)\((?!\s*\")(.*)")
    faults = [
        f"{path.name}: {match}"
        for path in (ROOT / "static/js").rglob("*.js")
        if path.name != "texts.js"
        for match in call.findall(path.read_text())
    ]
    assert faults == []
