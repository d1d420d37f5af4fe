"""Responses that no middleware sees, because aiohttp makes them itself: to what is no valid HTTP, for example.

They are problems with the headers of every other response, and do not disclose which server this is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from server.edge.middleware import RequestIds, data_headers
from server.edge.problem import ProblemError, unexpected
from server.edge.problem_responses import render
from server.edge.problems import problem_of

log = structlog.get_logger(__name__)

_REQUEST_IDS = RequestIds()


class HttpProtocol(web.RequestHandler):
    """Protocol of one HTTP connection; `secure` and the headers are those of the middleware.

    While `draining` returns True, each response ends its connection, so that load balancers do not use it again.
    """

    __slots__ = ("_draining", "_headers")

    def __init__(
        self,
        manager: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        secure: bool,
        draining: Callable[[], bool] = lambda: False,
        **options: Any,
    ) -> None:
        super().__init__(manager, loop=loop, **options)
        self._headers = data_headers(secure=secure)
        self._draining = draining

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - quotes the request
    ) -> web.StreamResponse:
        """Return the response to a malformed request, or after an error outside the middleware; close after it."""
        if request.writer.output_size > 0:
            # Only the end of the connection can show that the response is incomplete.
            raise ConnectionError("The response has begun and cannot be replaced by an error.") from exc
        if status < 500:
            log.info("malformed_request", error=type(exc).__name__)
            problem = _malformed(exc)
        else:
            log.error("request_failed", exc_info=exc)
            problem = unexpected()
        response = self._rendered(request, problem)
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; an exception from before the middleware, as for an unknown `Expect`, becomes a problem."""
        if isinstance(resp, web.HTTPException):
            resp = self._rendered(request, problem_of(resp) or unexpected())
        elif not resp.prepared:
            # An application without the middleware, as that of a worker's health, must not disclose versions either.
            resp.headers.setdefault("Server", self._headers["Server"])
        if not resp.prepared and self._draining():
            resp.force_close()
        return await super().finish_response(request, resp, start_time)

    def _rendered(self, request: web.BaseRequest, problem: ProblemError) -> web.Response:
        request_id = _REQUEST_IDS.of(request)
        response = render(problem, request_id)
        response.headers.update({**self._headers, "X-Request-Id": request_id, "Cache-Control": "no-store"})
        return response


def _malformed(error: BaseException | None) -> ProblemError:
    # The parser's own text quotes the request, with its credentials, so it is neither sent nor logged.
    if isinstance(error, LineTooLong):
        return ProblemError(431, "header_too_large", "The request line or a header of the request is too long.")
    return ProblemError(400, "malformed_request", "The request is not valid HTTP.")
