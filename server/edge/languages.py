"""The language of a response: the one that was chosen in the browser, or the one that the client prefers."""

from __future__ import annotations

from aiohttp import web

from locales.catalogues import LANGUAGES
from locales.negotiation import accepted_language

# Set by the page (static/js/service/page_language.js), because browsers name only their own languages.
COOKIE = "picshare_language"
# What decides about the language of a page, which shared caches have to know.
VARY = "Accept-Language, Cookie"


def language_of(request: web.Request) -> str:
    """Return the language in which a request is responded to."""
    chosen = request.cookies.get(COOKIE, "")
    return chosen if chosen in LANGUAGES else accepted_language(request.headers.get("Accept-Language", ""))
