"""The REST API as a load test uses it: one try where the answer is measured, patience where it is only needed."""

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
DEADLINE = 30.0  # seconds for one request
CONNECTIONS = 200  # of one process, kept open
UNKNOWN_LIMIT = "unknown"  # of something in front of PicShare, which does not say its name
_POLICY = re.compile(r'"(\w+)";')
_PAUSE = 1.0  # seconds before an unanswered request is repeated


class NoAnswerError(Exception):
    """Say that a request got no answer, and why; whether it had an effect is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer read to its end; `limit` names the rate limit that refused it, with a 429."""

    status: int
    body: bytes
    retry_after: float = 0.0
    limit: str = ""
    location: str = ""

    @property
    def json(self) -> Any:
        """Return the JSON document; None when the body is none."""
        with contextlib.suppress(orjson.JSONDecodeError):
            return orjson.loads(self.body)
        return None

    @property
    def complaint(self) -> str:
        """Return what the server said was wrong, for a person."""
        document = self.json
        detail = document.get("detail") if isinstance(document, dict) else None
        return f"{self.status}: {detail}" if detail else str(self.status)


class Rest:
    """Send requests over connections that are kept; `notice` says what is being waited for, for the progress."""

    def __init__(self, base: str, trust: ssl.SSLContext | None, measures: Measures) -> None:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=trust or True)
        self._http = aiohttp.ClientSession(
            connector=connector, timeout=aiohttp.ClientTimeout(total=DEADLINE), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._api = base + API
        self._measures = measures
        self.notice = ""

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        json: object = None,
        form: Mapping[str, str | bytes] | None = None,
        name: str = "",
    ) -> Answer:
        """Send one request and return its answer; raise `NoAnswerError`.

        A `form` is sent as multipart, bytes as a file. With a `name` the time until the answer was read counts
        under it, if the request was done.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        data: object = None if form is None else _multipart(form)
        if json is not None:
            data, headers["Content-Type"] = orjson.dumps(json), "application/json"
        began = time.monotonic()
        try:
            async with self._http.request(
                method, self._api + path, data=data, headers=headers, allow_redirects=False
            ) as response:
                answer = _answer(response, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NoAnswerError(_why(error)) from error
        if answer.limit:
            self._measures.count(f"{names.LIMITED} {answer.limit}")
        if name and answer.status < 300:
            self._measures.took(name, time.monotonic() - began)
        return answer

    async def insist(self, method: str, path: str, **request: Any) -> Answer:
        """Send a request until it is answered with something other than "later"; wait as long as the server says.

        Whoever calls bounds the time. Raises `LoadTestError` for a certificate that is not trusted.
        """
        while True:
            try:
                answer = await self.ask(method, path, **request)
            except NoAnswerError as error:
                if isinstance(error.__cause__, aiohttp.ClientConnectorCertificateError):
                    raise LoadTestError(str(error)) from error
                self.notice = f"no answer from the server ({error})"
                await asyncio.sleep(_PAUSE)
                continue
            if answer.status not in {429, 503}:
                self.notice = ""
                return answer
            self.notice = waiting_for(answer)
            await asyncio.sleep(max(answer.retry_after, 0.05))


def waiting_for(answer: Answer) -> str:
    """Return why a request has to wait, and which setting would spare that."""
    if answer.limit == UNKNOWN_LIMIT:
        return "something in front of PicShare limits the requests (429)"
    if answer.limit:
        key = answer.limit.upper()
        return f"PicShare's limit {answer.limit} is used up: raise limits.{answer.limit} (PICSHARE_LIMITS__{key})"
    return f"the server is busy ({answer.complaint})"


def _multipart(form: Mapping[str, str | bytes]) -> aiohttp.FormData:
    data = aiohttp.FormData()
    for name, value in form.items():
        if isinstance(value, bytes):
            data.add_field(name, value, filename="photo.jpg", content_type="image/jpeg")
        else:
            data.add_field(name, value)
    return data


def _answer(response: aiohttp.ClientResponse, body: bytes) -> Answer:
    limit = ""
    if response.status == 429:
        match = _POLICY.match(response.headers.get("RateLimit-Policy", ""))
        limit = match[1] if match else UNKNOWN_LIMIT
    retry_after = response.headers.get("Retry-After", "1")
    return Answer(
        status=response.status,
        body=body,
        retry_after=float(retry_after) if retry_after.isdigit() else 1.0,
        limit=limit,
        location=response.headers.get("Location", ""),
    )


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return reason_of(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return reason_of(error.os_error)
    return reason_of(error)
