"""Client for requests to supplied addresses; nothing that a peer does can cost more than its limits.

No redirect is followed, no cookie kept, no proxy or password of the environment used, and nothing decompressed.
"""

from __future__ import annotations

import asyncio
import io
import ssl
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import aiohttp
from yarl import URL

from storage.circuit import OK, Circuit
from workers.outbound.dialling import make_connector
from workers.outbound.errors import OutboundError, UrlRefusedError
from workers.outbound.failures import outbound_error
from workers.outbound.policy import OutboundPolicy
from workers.outbound.resolving import Resolver, SystemResolver
from workers.outbound.urls import check_url

TIMEOUT = 15.0  # seconds
MAX_RESPONSE = 16 * 1024  # bytes
STATUS = "status"  # outcome of a request with a response that is not 2xx
_CONCURRENCY = 100
_LARGE = 1_000_000  # bytes of a body that is sent in parts
_CONNECT_TIMEOUT = 5.0  # seconds
_HEADERS = {"User-Agent": "PicShare", "Accept-Encoding": "identity"}


class OutboundMetrics(Protocol):
    """Counts requests."""

    def outbound_request(self, *, name: str, outcome: str) -> None:
        """Record a request: `ok` (2xx), `status` (any other response), or the reason of its error."""
        ...


class NoOutboundMetrics:
    """Records nothing."""

    def outbound_request(self, *, name: str, outcome: str) -> None:
        """Do nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboundResponse:
    """A response with any status. `body` has its first bytes as they were sent; `truncated` if there were more."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    seconds: float

    @property
    def ok(self) -> bool:
        """Return whether the status is 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str | URL
    body: bytes | BinaryIO | None
    headers: Mapping[str, str] | None
    timeout: float
    max_response: int


class OutboundClient:
    """Client for the peers of one purpose, `name` in metrics; an asynchronous context manager.

    At most `concurrency` requests are sent at the same time; the time in which others wait does not count for them.
    """

    def __init__(
        self,
        policy: OutboundPolicy,
        *,
        name: str,
        metrics: OutboundMetrics | None = None,
        resolver: Resolver | None = None,
        ssl_context: ssl.SSLContext | None = None,
        concurrency: int = _CONCURRENCY,
        connect_timeout: float = _CONNECT_TIMEOUT,
    ) -> None:
        self._policy = policy
        self._name = name
        self._metrics = metrics or NoOutboundMetrics()
        self._resolver = resolver
        self._ssl_context = ssl_context
        self._connect_timeout = connect_timeout
        self._turns = asyncio.Semaphore(concurrency)
        self._stack = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=make_connector(self._policy, self._resolver or SystemResolver(), self._ssl_context),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout),
            )
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def send(
        self,
        method: str,
        url: str | URL,
        *,
        body: bytes | BinaryIO | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        max_response: int = MAX_RESPONSE,
        circuit: Circuit | None = None,
    ) -> OutboundResponse:
        """Send a request; return a response with any status, or raise `OutboundError`.

        A `body` in a file is read part by part. The request ends after `timeout` seconds at the latest. At most
        `max_response` bytes of the response are read, then the connection is closed. A POST is sent once; aiohttp sends
        a GET, PUT or DELETE again whose connection was lost.
        With a `circuit`, errors and responses with 5xx count as its failures.
        """
        request = _Request(method, url, body, headers, timeout, max_response)
        if circuit is None:
            return await self._counted(request)
        permit = circuit.admit()
        if permit is None:
            raise OutboundError("circuit_open", f"not sent; the next attempt is in {circuit.retry_after:.0f} s")
        with permit:
            try:
                response = await self._within_limits(request)
            except OutboundError as error:
                permit.failed(error.reason)
                raise
            if response.status >= 500:
                permit.failed(STATUS)
            else:
                permit.succeeded()
            return response

    async def _counted(self, request: _Request) -> OutboundResponse:
        try:
            response = await self._within_limits(request)
        except OutboundError as error:
            self._metrics.outbound_request(name=self._name, outcome=error.reason)
            raise
        self._metrics.outbound_request(name=self._name, outcome=OK if response.ok else STATUS)
        return response

    async def _within_limits(self, request: _Request) -> OutboundResponse:
        try:
            # The policy may have changed since the URL was stored.
            url = check_url(str(request.url), self._policy)
        except UrlRefusedError as error:
            raise OutboundError("address_refused", str(error)) from error
        async with self._turns:
            try:
                async with asyncio.timeout(request.timeout):
                    return await self._exchange(request, url)
            except aiohttp.ClientError as error:
                raise outbound_error(error) from error
            except TimeoutError as error:
                raise OutboundError("timeout", f"no complete response within {request.timeout:g} s") from error

    async def _exchange(self, request: _Request, url: URL) -> OutboundResponse:
        if self._session is None:
            raise RuntimeError("the client is not open")
        limit, started = request.max_response, time.monotonic()
        async with self._session.request(
            request.method,
            url,
            data=_payload(request.body),
            headers=request.headers,
            allow_redirects=False,
            read_bufsize=limit,
        ) as response:
            read = bytearray()
            while chunk := await response.content.read(limit + 1 - len(read)):
                read += chunk
            return OutboundResponse(
                status=response.status,
                headers=response.headers,
                body=bytes(read[:limit]),
                truncated=len(read) > limit,
                seconds=time.monotonic() - started,
            )


def _payload(body: bytes | BinaryIO | None) -> bytes | BinaryIO | None:
    # aiohttp writes bytes at once, and for a large body that would stop the event loop.
    return io.BytesIO(body) if isinstance(body, bytes) and len(body) > _LARGE else body
