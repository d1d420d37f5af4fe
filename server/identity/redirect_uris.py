"""Redirect URIs of applications: which can be registered, and which one of a request is a registered one.

They are compared as texts, and never by a prefix or pattern (RFC 9700, section 2.1). The one exception is the port of a
loopback address, which a program on the user's device learns only when it starts (RFC 8252, section 7.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode, urlsplit, urlunsplit

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"  # the user copies the code from the page
MAX_LENGTH = 1000
MOST = 10  # of an application

_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{2,}")
_LOOPBACK = {"127.0.0.1", "::1"}
# Schemes that browsers or systems themselves act upon: a redirect there would run, read or send something.
_OF_BROWSERS = {
    *("javascript", "data", "vbscript", "file", "filesystem", "blob", "about", "view-source", "ws", "wss", "ftp"),
    *("mailto", "tel", "sms", "chrome", "edge", "opera", "moz-extension", "resource", "jar", "intent", "urn", "http"),
    *("feed", "content", "shell", "search", "search-ms"),
}
# Browsers decode and map other characters of a host, so that it would not be the one that users are shown.
_NETLOC = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_NAMED = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\])):\d{1,5}(?=/|\?|$)")


def checked(uri: str) -> str:
    """Return a redirect URI that can be registered; raise `ValueError` with a sentence for the developer."""
    if uri == OUT_OF_BAND:
        return uri
    if len(uri) > MAX_LENGTH or _PRINTABLE.fullmatch(uri) is None or "\\" in uri:
        raise ValueError(f"A redirect URI has at most {MAX_LENGTH} visible ASCII characters, without backslashes.")
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("This redirect URI is not valid.") from error
    # `urlsplit` folds the scheme, and a URI is compared as it is.
    if not uri.startswith(parts.scheme + ":") or _SCHEME.fullmatch(parts.scheme) is None:
        raise ValueError("A redirect URI begins with a scheme in lower case, as https:.")
    if "#" in uri or "@" in parts.netloc:
        raise ValueError("A redirect URI has neither a fragment nor a user name.")
    if parts.scheme in {"http", "https"} and _NETLOC.fullmatch(parts.netloc) is None:
        raise ValueError("The host of a redirect URI has letters, digits, hyphens and dots, or is an IPv6 address.")
    if parts.scheme == "https":
        return uri
    if parts.scheme == "http" and host in {*_LOOPBACK, "localhost"}:
        return uri
    if parts.scheme in _OF_BROWSERS or parts.scheme.startswith("ms-"):
        raise ValueError("Use https, http on a loopback address as http://127.0.0.1, or a scheme of the application.")
    return uri


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Return whether a redirect URI is one of those that are registered."""
    known = set(registered)
    if uri in known:
        return True
    without_port = _without_port(uri)
    return without_port is not None and without_port in {_without_port(each) or each for each in known}


def with_parameters(uri: str, parameters: Mapping[str, str]) -> str:
    """Return a redirect URI with parameters added to its query."""
    parts = urlsplit(uri)
    query = "&".join(part for part in (parts.query, urlencode(parameters)) if part)
    if parts.scheme in {"http", "https"}:
        return urlunsplit(parts._replace(query=query))
    # The forms of private schemes differ ("app:/x", "app://x"), so they are kept as they are.
    base = uri.partition("?")[0]
    return f"{base}?{query}"


def host_of(uri: str) -> str:
    """Return what users are shown of where a redirect URI leads: its host, or its scheme."""
    parts = urlsplit(uri)
    return parts.hostname or "" if parts.scheme in {"http", "https"} else f"{parts.scheme}:"


def _without_port(uri: str) -> str | None:
    """Return a URI on a loopback address without its port; None for any other."""
    if uri.startswith(("http://127.0.0.1/", "http://[::1]/", "http://127.0.0.1?", "http://[::1]?")):
        return uri
    if uri in {"http://127.0.0.1", "http://[::1]"}:
        return uri
    return _NAMED.sub(r"\1", uri, count=1) if _NAMED.match(uri) else None
