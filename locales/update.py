"""Bring the catalogues up to date with the texts in the sources: `python -m locales.update`.

New texts come in without a translation, those that are not used any more are removed. Each catalogue is sorted, so that
changes of different branches seldom meet in one place.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from locales.catalogues import ENGLISH, FOLDER, LANGUAGES
from locales.extraction import Text, page_texts, server_texts

SOURCES: dict[str, Callable[[], Iterator[Text]]] = {"page": page_texts, "server": server_texts}


def catalogue_path(language: str, domain: str) -> Path:
    """Return the file of a catalogue."""
    return FOLDER / language / f"{domain}.po"


def template_of(domain: str) -> Catalog:
    """Return the catalogue of the English texts in the sources."""
    template = Catalog(fuzzy=False)
    for text in SOURCES[domain]():
        message = text.text if text.several is None else (text.text, text.several)
        template.add(message, context=text.context, locations=[(text.file, 0)])
    return template


def updated(language: str, domain: str) -> bytes:
    """Return the content of a catalogue that has exactly the texts of the sources."""
    path = catalogue_path(language, domain)
    catalogue = Catalog(locale=language, fuzzy=False)
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
    catalogue.update(template_of(domain), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.fuzzy = False
    written = io.BytesIO()
    write_po(written, catalogue, width=0, sort_output=True, ignore_obsolete=True, omit_header=False, include_lineno=False)
    return written.getvalue()


def main() -> None:
    """Write all catalogues, and print how many texts of each lack a translation."""
    for language in LANGUAGES:
        for domain in SOURCES if language != ENGLISH else ():
            path = catalogue_path(language, domain)
            content = updated(language, domain)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            missing = sum(1 for message in read_po(io.BytesIO(content)) if message.id and not _is_complete(message.string))
            sys.stdout.write(f"{path.relative_to(FOLDER.parent)}: {missing} texts without a translation\n")


def _is_complete(translation: str | tuple[str, ...]) -> bool:
    return bool(translation) if isinstance(translation, str) else all(translation)


if __name__ == "__main__":
    main()
