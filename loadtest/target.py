"""The address of the PicShare under test, and the first look at it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from loadtest.client.reasons import UNTRUSTED
from loadtest.client.trust import trust
from loadtest.community.rest import API, Answer, NoAnswerError, Rest
from loadtest.errors import LoadTestError
from loadtest.measures.measures import Measures

ENDPOINT = "/connection/websocket"
_WEB, _LIVE = ("http", "https"), ("ws", "wss")


def base_of(url: str) -> str:
    """Return the address without a slash at the end; raise `LoadTestError` for what is none."""
    parts = _parts(url)
    if parts.scheme not in _WEB or parts.query or parts.fragment:
        raise LoadTestError(f"{url} is not the address of a PicShare; write for example https://photos.example.com.")
    return url.rstrip("/")


def live_of(base: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return the live endpoints: those given, with ws:// for http:// and the usual path, or the base's own."""
    endpoints = []
    for url in given or (base,):
        parts = _parts(url)
        if parts.scheme not in (*_WEB, *_LIVE):
            raise LoadTestError(f"{url} is not a live endpoint; write for example wss://live.example.com{ENDPOINT}.")
        scheme = "wss" if parts.scheme in {"https", "wss"} else "ws"
        path = parts.path.rstrip("/")
        path = path if path.endswith(ENDPOINT) else path + ENDPOINT
        endpoints.append(urlunsplit((scheme, parts.netloc, path, parts.query, "")))
    return tuple(endpoints)


def trust_for(ca: Path | None, *, insecure: bool) -> ssl.SSLContext:
    """Return whom to trust; raise `LoadTestError` for a file that holds no certificate."""
    try:
        return trust(str(ca) if ca else None, insecure=insecure)
    except (OSError, ssl.SSLError) as error:
        raise LoadTestError(f"{ca} is not a file of trusted certificates in PEM form: {error}.") from error


async def look_at(base: str, context: ssl.SSLContext) -> None:
    """Ask once whether a PicShare answers there; raise `LoadTestError` with what to do about it."""
    rest = Rest(base, context, Measures())
    try:
        answer = await rest.ask("GET", "/users/me")
    except NoAnswerError as error:
        hint = ""
        if str(error).startswith(UNTRUSTED):
            hint = " Name its authority with --ca, or try --insecure."
        raise LoadTestError(f"{base} cannot be reached: {error}.{hint}") from error
    finally:
        await rest.close()
    if answer.location:
        raise LoadTestError(f"{base} leads to {answer.location.removesuffix(API + '/users/me')}; give that address.")
    if not _is_picshare(answer):
        raise LoadTestError(
            f"{base} answers, but not as PicShare does ({answer.status} at {API}/users/me); "
            "give the address that people type."
        )


def _is_picshare(answer: Answer) -> bool:
    document = answer.json
    return answer.status == 401 and isinstance(document, dict) and document.get("code") == "unauthorized"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.hostname and parts.port != 0  # a port that is none raises here
    except ValueError as error:
        raise LoadTestError(f"{url} is not an address: {error}.") from error
    if not known:
        raise LoadTestError(f"{url} is not an address; write for example http://127.0.0.1:8080.")
    return parts
