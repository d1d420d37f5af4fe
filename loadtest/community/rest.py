"""A client of the REST API: single attempts for measured requests, retries for those of the preparation."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from loadtest import names
from loadtest.client.reasons import reason_of
from loadtest.errors import LoadTestError
from loadtest.measures.measures import Measures

API = "/api/v1"
TIMEOUT = 30.0  # seconds for one request
CONNECTIONS = 200  # of one process, kept open
UNKNOWN_LIMIT = "unknown"  # imposed in front of PicShare, without a name in the response
_POLICY = re.compile(r'"(\w+)";')
_PAUSE = 1.0  # seconds before an unanswered request is repeated


class NoResponseError(Exception):
    """A request got no response; whether it took effect is unknown. The message is the reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiResponse:
    """A complete response; `limit` is the name of the rate limit for a 429."""

    status: int
    body: bytes
    retry_after: float = 0.0
    limit: str = ""
    location: str = ""

    @property
    def json(self) -> Any:
        """Return the JSON document; None if the body is not JSON."""
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(self.body)
        return None

    @property
    def error_text(self) -> str:
        """Return the status and, if there is one, the server's error text."""
        document = self.json
        detail = document.get("detail") if isinstance(document, dict) else None
        return f"{self.status}: {detail}" if detail else str(self.status)


class RestClient:
    """Sends requests over persistent connections; `notice` is what a retry waits for, shown in the progress."""

    def __init__(self, base: str, trust: ssl.SSLContext | None, measures: Measures) -> None:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=trust or True)
        self._http = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=TIMEOUT), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._api = base + API
        self._measures = measures
        self.notice = ""

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        json: object = None,
        form: Mapping[str, str | bytes] | None = None,
        name: str = "",
    ) -> ApiResponse:
        """Send one request and return its response; raise `NoResponseError`.

        A `form` is sent as multipart, with bytes as a file. With a `name`, the time until the response is read is
        recorded under it if the request succeeds.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data: object = None if form is None else _multipart(form)
        if json is not None:
            data, headers["Content-Type"] = orjson.dumps(json), "application/json"
        began = time.monotonic()
        try:
            async with self._http.request(
                method, self._api + path, data=data, headers=headers, allow_redirects=False
            ) as raw:
                response = _read_response(raw, await raw.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoResponseError(_reason(error)) from error
        if response.limit:
            self._measures.count(f"{names.LIMITED} {response.limit}")
        if name and response.status < 300:
            self._measures.took(name, time.monotonic() - began)
        return response

    async def request_with_retry(self, method: str, path: str, **request: Any) -> ApiResponse:
        """Repeat a request until the response is neither 429 nor 503; wait as long as the server requests.

        The caller bounds the time. Raises `LoadTestError` for a certificate that is not trusted.
        """
        while True:
            try:
                response = await self.request(method, path, **request)
            except NoResponseError as error:
                if isinstance(error.__cause__, aiohttp.ClientConnectorCertificateError):
                    raise LoadTestError(str(error)) from error
                self.notice = f"no response from the server ({error})"
                await asyncio.sleep(_PAUSE)
                continue
            if response.status not in {429, 503}:
                self.notice = ""
                return response
            self.notice = waiting_for(response)
            await asyncio.sleep(max(response.retry_after, 0.05))


def waiting_for(response: ApiResponse) -> str:
    """Return why a request has to wait, and which setting would avoid that."""
    if response.limit == UNKNOWN_LIMIT:
        return "a proxy in front of PicShare limits the requests (429)"
    if response.limit:
        key = response.limit.upper()
        return f"PicShare's limit {response.limit} is used up: raise limits.{response.limit} (PICSHARE_LIMITS__{key})"
    return f"the server is busy ({response.error_text})"


def _multipart(form: Mapping[str, str | bytes]) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value in form.items():
        if isinstance(value, bytes):
            data.add_field(name, value, filename="photo.jpg", content_type="image/jpeg")
        else:
            data.add_field(name, value)
    return data


def _read_response(response: aiohttp.ClientResponse, body: bytes) -> ApiResponse:
    limit = ""
    if response.status == 429:
        match = _POLICY.match(response.headers.get("RateLimit-Policy", ""))
        limit = match[1] if match else UNKNOWN_LIMIT
    retry_after = response.headers.get("Retry-After", "1")
    return ApiResponse(
        status=response.status,
        body=body,
        retry_after=float(retry_after) if retry_after.isdigit() else 1.0,
        limit=limit,
        location=response.headers.get("Location", ""),
    )


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return reason_of(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return reason_of(error.os_error)
    return reason_of(error)
