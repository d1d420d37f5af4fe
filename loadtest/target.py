"""The address of the PicShare under test, its TLS settings, and a first request that checks both."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from loadtest.client.reasons import UNTRUSTED
from loadtest.community.rest import API, ApiResponse, NoResponseError, RestClient
from loadtest.errors import LoadTestError
from loadtest.measures.measures import Measures

ENDPOINT = "/connection/websocket"
_HTTP, _WEBSOCKET = ("http", "https"), ("ws", "wss")


def base_url(url: str) -> str:
    """Return the address without a trailing slash; raise `LoadTestError` if it is not an HTTP address."""
    parts = _parts(url)
    if parts.scheme not in _HTTP or parts.query or parts.fragment:
        raise LoadTestError(f"{url} is not the address of a PicShare; write for example https://photos.example.com.")
    return url.rstrip("/")


def live_urls(base: str, given: Sequence[str]) -> tuple[str, ...]:
    """Return the live endpoints: those given, with ws:// for http:// and the usual path, or the one of `base`."""
    endpoints = []
    for url in given or (base,):
        parts = _parts(url)
        if parts.scheme not in (*_HTTP, *_WEBSOCKET):
            raise LoadTestError(f"{url} is not a live endpoint; write for example wss://live.example.com{ENDPOINT}.")
        scheme = "wss" if parts.scheme in {"https", "wss"} else "ws"
        path = parts.path.rstrip("/")
        path = path if path.endswith(ENDPOINT) else path + ENDPOINT
        endpoints.append(urlunsplit((scheme, parts.netloc, path, parts.query, "")))
    return tuple(endpoints)


def tls_context(ca: Path | str | None, *, insecure: bool) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those in the PEM file `ca`.

    With `insecure` it accepts every certificate. Raises `LoadTestError` for a file without certificates.
    """
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except (OSError, ssl.SSLError) as error:
            raise LoadTestError(f"{ca} is not a file of trusted certificates in PEM form: {error}.") from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def check_target(base: str, context: ssl.SSLContext) -> None:
    """Send one request to check that `base` is a PicShare; raise `LoadTestError` with what to change."""
    rest = RestClient(base, context, Measures())
    try:
        response = await rest.request("GET", "/users/me")
    except NoResponseError as error:
        hint = ""
        if str(error).startswith(UNTRUSTED):
            hint = " Pass the certificate of its authority with --ca, or use --insecure."
        raise LoadTestError(f"{base} cannot be reached: {error}.{hint}") from error
    finally:
        await rest.close()
    if response.location:
        address = response.location.removesuffix(API + "/users/me")
        raise LoadTestError(f"{base} redirects to {address}; use that address.")
    if not _is_picshare(response):
        raise LoadTestError(
            f"{base} responds, but not as PicShare does ({response.status} at {API}/users/me); "
            "use the address that users open."
        )


def _is_picshare(response: ApiResponse) -> bool:
    document = response.json
    return response.status == 401 and isinstance(document, dict) and document.get("code") == "unauthorized"


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.hostname and parts.port != 0  # an invalid port raises here
    except ValueError as error:
        raise LoadTestError(f"{url} is not an address: {error}.") from error
    if not known:
        raise LoadTestError(f"{url} is not an address; write for example http://127.0.0.1:8080.")
    return parts
