"""Bring the catalogues up to date with the texts in the sources: `python -m locales.update`.

New texts come in without a translation, those that are not used any more are removed. Each catalogue is sorted, so that
changes of different branches seldom meet in one place.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from locales.catalogues import ENGLISH, FOLDER, LANGUAGES, translation_of
from locales.extraction import Text, page_texts, server_texts

# Fields of the header that say when and by whom a file was written, as the history of the repository does.
_UNUSED = tuple(
    f'"{field}:'.encode()
    for field in (
        "Project-Id-Version",
        "Report-Msgid-Bugs-To",
        "POT-Creation-Date",
        "PO-Revision-Date",
        "Last-Translator",
        "Language-Team",
        "Generated-By",
    )
)
SOURCES: dict[str, Callable[[], Sequence[Text]]] = {"page": page_texts, "server": server_texts}


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
    catalogue.header_comment = (
        f"# PicShare in {LANGUAGES[language]}. `make texts` brings it up to date with the sources."
    )
    written = io.BytesIO()
    write_po(
        written, catalogue, width=0, sort_output=True, ignore_obsolete=True, omit_header=False, include_lineno=False
    )
    return b"".join(line for line in written.getvalue().splitlines(keepends=True) if not line.startswith(_UNUSED))


def main() -> None:
    """Write all catalogues, and print how many texts of each lack a translation."""
    for language in LANGUAGES:
        for domain in SOURCES if language != ENGLISH else ():
            path = catalogue_path(language, domain)
            content = updated(language, domain)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
            messages = [message for message in read_po(io.BytesIO(content)) if message.id]
            missing = sum(not all(translation_of(message)) for message in messages)
            sys.stdout.write(f"{path.relative_to(FOLDER.parent)}: {missing} texts without a translation\n")


if __name__ == "__main__":
    main()
