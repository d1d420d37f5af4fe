"""The manifest of the installable application in each language: its description, and the names of its shortcuts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from locales.catalogues import ENGLISH, LANGUAGES, direction, translate
from locales.sentences import marked

MANIFEST = "manifest.webmanifest"
# The texts in the manifest; its description is one of the page's (`server.edge.localized_pages`).
TEXTS = (
    marked("New photo"),
    marked("Notifications"),
    marked("Search"),
    marked("The home feed"),
    marked("The home feed on a phone"),
)


def manifest_name(language: str) -> str:
    """Return the file name of the manifest in a language."""
    return MANIFEST if language == ENGLISH else f"manifest.{language}.webmanifest"


def localized_manifests(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the manifests in the languages other than English, by their paths; none without a manifest."""
    if MANIFEST not in files:
        return {}
    languages = (language for language in LANGUAGES if language != ENGLISH)
    return {manifest_name(language): _localized(files[MANIFEST], language) for language in languages}


def _localized(manifest: bytes, language: str) -> bytes:
    fields: dict[str, Any] = orjson.loads(manifest)
    fields |= {
        "lang": language,
        "dir": direction(language),
        "description": translate(fields["description"], language),
        "shortcuts": [
            shortcut | {"name": translate(shortcut["name"], language)} for shortcut in fields.get("shortcuts", [])
        ],
        "screenshots": [shot | {"label": translate(shot["label"], language)} for shot in fields.get("screenshots", [])],
    }
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2)
