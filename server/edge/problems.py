"""Errors in the API's words: one table from what our packages raise to RFC 9457's `application/problem+json`.

A body is `{type, title, status, detail, code, errors?}`; `code` is stable, `type` points into the
documentation. What is not in the table becomes a 500 that names the request and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError

from channels.contract.errors import LiveUnavailableError
from server.edge.cursors import BadCursorError
from server.identity.errors import PasswordsBusyError, RefreshTokenError
from storage.errors import ConflictError, InvalidValueError, NotFoundError, UnavailableError

CONTENT_TYPE = "application/problem+json"
FieldError = tuple[str, str]  # the field's name, and what is wrong with it

_ROUTING_CODES = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
_ROUTING_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not know this method",
    413: "the body is larger than allowed here",
}


_ROUTING_HEADERS = ("Allow", "Retry-After", "Upgrade", "Sec-WebSocket-Version")


class ProblemError(Exception):
    """Stand for an answer that is an error; `detail` is for people, `code` for programs."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def bad_field(field: str, message: str, *, status: int = 400) -> ProblemError:
    """Return the problem of one field: 400 for what stands in the address, 422 for what stands in a body."""
    code = "invalid_parameter" if status == 400 else "invalid_input"
    return ProblemError(status, code, f"{field}: {message}", errors=[(field, message)])


def invalid(error: ValidationError, *, status: int = 422) -> ProblemError:
    """Return the problem of an input that does not fit its model, each field with its own message."""
    errors = [(".".join(map(str, item["loc"])) or "body", _message(item["msg"])) for item in error.errors()]
    detail = "; ".join(f"{field}: {message}" for field, message in errors[:5])
    return ProblemError(status, "invalid_parameter" if status == 400 else "invalid_input", detail, errors=errors[:50])


def problem_of(error: Exception) -> ProblemError | None:
    """Return the problem that an error stands for, or None for one that nobody expected."""
    for kind, translate in _TABLE:
        if isinstance(error, kind):
            return translate(error)
    return None


def unexpected() -> ProblemError:
    """Return the problem that tells a person nothing but that it is ours, and what to quote."""
    return ProblemError(500, "internal_error", "something went wrong on our side; quote the request id if it stays so")


def render(problem: ProblemError, request_id: str) -> web.Response:
    """Return the answer that carries a problem."""
    body: dict[str, Any] = {
        "type": f"/docs#{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.errors:
        body["errors"] = [{"field": field, "message": message} for field, message in problem.errors]
    return web.Response(
        body=orjson.dumps(body), status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers
    )


def _conflict(error: ConflictError) -> ProblemError:
    errors = [(error.field, str(error))] if error.field else []
    return ProblemError(409, error.code, str(error), errors=errors)


def _unavailable(_: Exception) -> ProblemError:
    detail = "a part of the service does not answer at the moment; try again shortly"
    return ProblemError(503, "unavailable", detail, headers={"Retry-After": "2"})


def _routing_problem(error: web.HTTPException) -> ProblemError:
    status = error.status if error.status >= 400 else 500
    said = error.text if error.text != f"{error.status}: {error.reason}" else None
    detail = said or _ROUTING_DETAILS.get(status, error.reason)
    headers = {name: error.headers[name] for name in _ROUTING_HEADERS if name in error.headers}
    return ProblemError(status, _ROUTING_CODES.get(status, "http_error"), detail, headers=headers)


def _message(text: str) -> str:
    return text.removeprefix("Value error, ")


_TABLE: tuple[tuple[type[Exception], Callable[[Any], ProblemError]], ...] = (
    (ProblemError, lambda error: error),
    (NotFoundError, lambda error: ProblemError(404, f"{error.what}_not_found", str(error))),
    (ConflictError, _conflict),
    (InvalidValueError, lambda error: ProblemError(422, "invalid_input", str(error))),
    (UnavailableError, _unavailable),
    (LiveUnavailableError, _unavailable),
    (RefreshTokenError, lambda error: unauthorized("refresh_token_invalid", str(error))),
    (PasswordsBusyError, lambda error: ProblemError(503, "busy", str(error), headers={"Retry-After": "3"})),
    (BadCursorError, lambda error: bad_field("cursor", str(error))),
    (ValidationError, invalid),
    (web.HTTPException, _routing_problem),
)


def unauthorized(code: str, detail: str) -> ProblemError:
    """Return a 401."""
    challenge = (
        'Bearer realm="picshare"' if code == "unauthorized" else 'Bearer realm="picshare", error="invalid_token"'
    )
    return ProblemError(401, code, detail, headers={"WWW-Authenticate": challenge})
