"""The middleware around every handler: request id, problem responses, security headers, access log, metrics.

It runs for every request, so it parses nothing, does no I/O and uses prepared header values.
"""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import structlog
from aiohttp import ClientConnectionResetError, web
from aiohttp.typedefs import Middleware

from server.edge.access_log import AccessLog, AccessRecord
from server.edge.api_request import ADDRESS, RESPONSE_HEADERS, VIEWER
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.endpoint import TOKEN_PARAMETER
from server.edge.files import FileResponse
from server.edge.languages import VARY, language_of
from server.edge.localized_problems import localized
from server.edge.positions import add_position, carried_by
from server.edge.problem import ProblemError, unexpected
from server.edge.problem_responses import render, render_page
from server.edge.problems import problem_of
from storage.postgres.carried_position import CARRIED

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Renderer(Protocol):
    """How the problems of a request are rendered."""

    def __call__(self, problem: ProblemError) -> web.Response:
        """Return the response for a problem."""
        ...


# Of requests to an interface other than PicShare's own.
RENDERER: web.RequestKey[Renderer] = web.RequestKey("renderer", Renderer)
REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
_GOOD_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
QUIET_ROUTES = ("/healthz", "/readyz", "/metrics")  # polled every few seconds; not in the access log


def common_headers(*, secure: bool) -> dict[str, str]:
    """Return the header fields of every response; `secure` adds HSTS, for a service that clients reach over HTTPS."""
    common = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Server": "PicShare",  # instead of aiohttp's value, which discloses versions
    }
    return {**common, "Strict-Transport-Security": "max-age=31536000"} if secure else common


def data_headers(*, secure: bool) -> dict[str, str]:
    """Return the header fields of every response that is not a page."""
    return {**common_headers(secure=secure), "Content-Security-Policy": DATA_POLICY}


def edge(
    addresses: ClientAddresses,
    cross_origin: CrossOrigin,
    metrics: HttpMetrics,
    access_log: AccessLog,
    *,
    secure: bool,
    carries_positions: bool = False,
) -> Middleware:
    """Return the middleware; with `carries_positions` clients carry the positions of their writes to their reads."""
    common, data = common_headers(secure=secure), data_headers(secure=secure)
    request_ids = RequestIds()

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        request_id = request_ids.of(request)
        request[REQUEST_ID] = request_id
        request[ADDRESS] = addresses.of(request)
        structlog.contextvars.bind_contextvars(request_id=request_id)
        carried = carried_by(request) if carries_positions else None
        CARRIED.set(carried)
        try:
            preflight = cross_origin.preflight(request)
            response = await handler(request) if preflight is None else preflight
        except Exception as error:  # noqa: BLE001 - every error becomes a response here
            response = _error_response(request, error, request_id)
        # The headers of a streamed response or a WebSocket were sent before this point.
        if not response.prepared:
            is_page = "Content-Security-Policy" in response.headers
            _add_headers(request, response, common if is_page else data, request_id)
            _add_cross_origin(response, cross_origin.headers(request))
            if carried is not None and carried.written is not None:
                add_position(response, carried.written, secure=secure)
        record = partial(
            _record, request, request_id, time.perf_counter() - started, metrics=metrics, access_log=access_log
        )
        if isinstance(response, FileResponse):
            response.on_status = record
        else:
            record(response.status)
        return response

    return middleware


def _error_response(request: web.Request, error: Exception, request_id: str) -> web.Response:
    problem = problem_of(error)
    if problem is None and isinstance(
        error, ClientConnectionResetError | ConnectionResetError | web.RequestPayloadError
    ):
        problem = ProblemError(400, "body_incomplete", "The body ended before it was complete. Send the request again.")
    if problem is None:
        log.error("request_failed", exc_info=error)
        problem = unexpected()
    elif problem.status >= 500:
        log.warning("request_unavailable", code=problem.code, cause=str(error))
    renderer: Renderer | None = request.get(RENDERER)
    if renderer is not None:
        return renderer(problem)
    language = language_of(request)
    problem = localized(problem, language)
    if opens_page(request):
        response = render_page(problem, request_id, language)
        response.headers["Content-Security-Policy"] = PAGE_POLICY
    else:
        response = render(problem, request_id)
    response.headers["Content-Language"] = language
    response.headers["Vary"] = VARY
    return response


def opens_page(request: web.Request) -> bool:
    """Return whether a browser opens this address as a page: programs and the page's scripts do not accept HTML."""
    if request.method not in ("GET", "HEAD") or request.path.startswith("/api/"):
        return False
    return "text/html" in request.headers.get("Accept", "").lower()


def _add_headers(request: web.Request, response: web.StreamResponse, common: dict[str, str], request_id: str) -> None:
    headers = response.headers
    headers["X-Request-Id"] = request_id
    referrers = headers.get("Referrer-Policy")
    headers.update(common)
    if referrers is not None:
        headers["Referrer-Policy"] = referrers
    if "Cache-Control" not in headers:
        headers["Cache-Control"] = "no-store"
    for name, value in request.get(RESPONSE_HEADERS, {}).items():
        # An error reports the limit that it is about, and not the one that every request is charged to.
        headers.setdefault(name, value)
    # The rest of a body that was refused is still on its way, so the connection cannot be reused.
    if headers.get("Connection") == "close":
        response.force_close()


def _add_cross_origin(response: web.StreamResponse, fields: dict[str, str]) -> None:
    vary = response.headers.get("Vary")
    response.headers.update(fields)
    if vary is not None and "Vary" in fields:
        response.headers["Vary"] = f"{vary}, {fields['Vary']}"


def _record(
    request: web.Request,
    request_id: str,
    seconds: float,
    status: int,
    *,
    metrics: HttpMetrics,
    access_log: AccessLog,
) -> None:
    # Metrics are labelled with the route, not the path: each photo would otherwise make a time series.
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    metrics.request_done(method=request.method, route=route, status=status, seconds=seconds)
    if route not in QUIET_ROUTES:
        access_log.record(_access(request, request_id, status, seconds))


def _access(request: web.Request, request_id: str, status: int, seconds: float) -> AccessRecord:
    viewer = request.get(VIEWER)
    return AccessRecord(
        request_id=request_id,
        method=request.method,
        path=_logged_path(request),
        status=status,
        duration_ms=round(seconds * 1000, 2),
        address=request[ADDRESS],
        user_id=None if viewer is None else viewer.user_text,
    )


def _logged_path(request: web.Request) -> str:
    """Return the path without the token of a link, and without the query, which may contain a ticket or a signature."""
    token = request.match_info.get(TOKEN_PARAMETER)
    return request.path if token is None else request.path.replace(token, "***")


class RequestIds:
    """Ids of requests: the client's own where it is harmless, else a random prefix and a number."""

    def __init__(self) -> None:
        self._start = secrets.token_hex(4)
        self._numbers = itertools.count()

    def of(self, request: web.BaseRequest) -> str:
        """Return the request's id."""
        given = request.headers.get("X-Request-Id")
        if given is not None and _GOOD_REQUEST_ID.fullmatch(given):
            return given
        return f"{self._start}{next(self._numbers):08x}"


class HttpMetrics(Protocol):
    """Metrics of the HTTP edge."""

    def request_done(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Record one request that was responded to; `route` is the template ("/api/v1/photos/{id}"), never the path."""
        ...


class NoHttpMetrics:
    """Metrics that record nothing."""

    def request_done(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Record nothing."""
