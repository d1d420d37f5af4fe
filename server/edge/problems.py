"""Errors of the API: one table from the exceptions of our packages to RFC 9457's `application/problem+json`.

A body is `{type, title, status, detail, code, errors?}`; `code` is stable, `type` links to the
documentation. An exception that is not in the table becomes a 500 that contains the request id and no detail. A browser
that opens a wrong address receives the same as a small page.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from html import escape
from http import HTTPStatus
from string import Template
from typing import Any

import orjson
from aiohttp import web
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from channels.contract.errors import LiveUnavailableError
from server.edge.paging import BadCursorError
from server.identity.errors import (
    AccountRequiredError,
    AccountSuspendedError,
    ChallengeError,
    DeletionPendingError,
    LinkExpiredError,
    LinkInvalidError,
    LinkUsedError,
    NewAccountLimitedError,
    NotPermittedError,
    PasskeyError,
    PasswordsBusyError,
    ProviderRefusedError,
    RateLimitedError,
    ReauthenticationRequiredError,
    RefreshTokenError,
    SecondFactorRequiredError,
    SessionRevokedError,
    SignInExpiredError,
    WrongCodeError,
    WrongCredentialsError,
    WrongPasswordError,
)
from server.identity.rate_limits import Charge, rate_limit_headers
from server.openid.errors import ProviderResponseError, ProviderUnavailableError
from storage.errors import (
    ConflictError,
    FullError,
    InvalidValueError,
    ListExpiredError,
    NotFoundError,
    UnavailableError,
)
from storage.render.timestamps import timestamp
from workers.outbound.errors import UrlRefusedError
from workers.webhooks.verdict_tokens import VerdictTokenError
from workers.webhooks.verdicts import PhotoDeletedError

CONTENT_TYPE = "application/problem+json"
FieldError = tuple[str, str]  # the field's name, and what is wrong with it

# Errors of the operating system that pass: no space, no more files or memory.
_FULL = {errno.ENOSPC, errno.EDQUOT}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}

_ROUTING_CODES = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
_ROUTING_DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not support this method; the header Allow lists those it supports.",
    413: "The body is larger than this path allows.",
}
_OTHER_TITLES = {460: "Checksum Mismatch"}  # of the protocol tus
_PAGE = Template(
    """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>$heading · PicShare</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <link rel="icon" href="/static/icons/picshare.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/css/tokens.css">
    <link rel="stylesheet" href="/static/css/base.css">
    <link rel="stylesheet" href="/static/css/controls.css">
  </head>
  <body>
    <main class="empty-state">
      <h1>$heading</h1>
      <p>$text</p>
      <a class="button" href="/">Go to PicShare</a>
      <p class="secondary small">Request $request_id</p>
    </main>
  </body>
</html>
"""
)
_ROUTING_HEADERS = ("Allow", "Retry-After", "Upgrade", "Sec-WebSocket-Version")


class ProblemError(Exception):
    """An error response; `detail` explains it to a human reader, `code` identifies it for programs.

    `members` are added to the body.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.members = dict(members or {})  # further members of the body
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def at(self, field: str) -> ProblemError:
        """Return this problem as one of a field of the body."""
        return ProblemError(
            self.status, self.code, f"{field}: {self.detail}", errors=[(field, self.detail)], headers=self.headers
        )


def bad_field(field: str, message: str, *, status: int = 400) -> ProblemError:
    """Return the problem of one field: 400 for one of the path or the query, 422 for one of the body."""
    code = "invalid_parameter" if status == 400 else "invalid_input"
    return ProblemError(status, code, f"{field}: {message}", errors=[(field, message)])


def invalid(error: ValidationError, *, status: int = 422) -> ProblemError:
    """Return the problem of input that does not fit its model, with a message for each field."""
    errors = [(".".join(map(str, item["loc"])) or "body", _message(item)) for item in error.errors()]
    detail = " ".join(f"{field}: {message}" for field, message in errors[:5])
    return ProblemError(status, "invalid_parameter" if status == 400 else "invalid_input", detail, errors=errors[:50])


def problem_of(error: Exception) -> ProblemError | None:
    """Return the problem for an exception, or None for an unexpected one."""
    for kind, translate in _TABLE:
        if isinstance(error, kind):
            return translate(error)
    return None


def unexpected() -> ProblemError:
    """Return the problem for an unexpected exception, which discloses nothing about it."""
    return ProblemError(
        500, "internal_error", "Something went wrong on the server. If it happens again, report the request id."
    )


def render(problem: ProblemError, request_id: str) -> web.Response:
    """Return the response for a problem."""
    body: dict[str, Any] = {
        "type": f"/docs#{problem.code}",
        "title": _title(problem.status),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": request_id,
        **problem.members,
    }
    if problem.errors:
        body["errors"] = [{"field": field, "message": message} for field, message in problem.errors]
    return web.Response(
        body=orjson.dumps(body), status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers
    )


def render_page(problem: ProblemError, request_id: str) -> web.Response:
    """Return the response for a problem as a page, for a user who opened an address in a browser."""
    missing = problem.code == _ROUTING_CODES[404]
    page = _PAGE.substitute(
        heading="Page not found" if missing else escape(_title(problem.status)),
        text="There is no page at this address." if missing else escape(problem.detail),
        request_id=escape(request_id),
    )
    return web.Response(text=page, status=problem.status, content_type="text/html", headers=problem.headers)


def _title(status: int) -> str:
    return _OTHER_TITLES.get(status) or HTTPStatus(status).phrase


def _not_found(error: NotFoundError) -> ProblemError:
    # What the viewer may not see does not differ from what does not exist, or its existence would be disclosed.
    detail = f"There is no such {error.what}, or you may not see it."
    return ProblemError(404, f"{error.what}_not_found", detail)


def _rate_limited(error: RateLimitedError) -> ProblemError:
    return ProblemError(429, "too_many_requests", str(error), headers=rate_limit_headers(error.charge))


def _new_account_limited(error: NewAccountLimitedError) -> ProblemError:
    return ProblemError(429, "new_account_limit", str(error), headers=rate_limit_headers(error.charge))


def _deletion_pending(error: DeletionPendingError) -> ProblemError:
    members = {"deletion_due_at": timestamp(error.due_at)}
    return ProblemError(403, "deletion_pending", str(error), headers=rate_limit_headers(error.charge), members=members)


def _account_required(error: AccountRequiredError) -> ProblemError:
    names = ("provider", "email", "email_verified", "display_name", "username")
    return ProblemError(409, "account_required", str(error), members={name: getattr(error, name) for name in names})


def _provider_unavailable(_: Exception) -> ProblemError:
    detail = "The provider does not respond at the moment. Try again later, or sign in another way."
    return ProblemError(503, "provider_unavailable", detail, headers={"Retry-After": "30"})


def _provider_invalid(_: Exception) -> ProblemError:
    # The reason is for the operator, in the log: it is not the user's to mend, and tells an attacker what to change.
    return ProblemError(
        502, "provider_invalid", "The provider's response is not valid. The operator has to look at it."
    )


def _wrong_password(error: WrongPasswordError) -> ProblemError:
    # Not a 401, after which clients renew their tokens: the session is valid.
    return ProblemError(403, "wrong_password", str(error), headers=rate_limit_headers(error.charge)).at("password")


def _wrong_code(error: WrongCodeError) -> ProblemError:
    return ProblemError(403, "wrong_code", str(error), headers=rate_limit_headers(error.charge)).at("code")


def _second_factor(error: SecondFactorRequiredError) -> ProblemError:
    headers, members = rate_limit_headers(error.charge), {"challenge": error.challenge}
    return ProblemError(403, "second_factor_required", str(error), headers=headers, members=members)


def _suspended(error: AccountSuspendedError) -> ProblemError:
    members = {} if error.token is None else {"access_token": error.token}
    return ProblemError(403, "account_suspended", str(error), members=members)


def _conflict(error: ConflictError) -> ProblemError:
    errors = [(error.field, str(error))] if error.field else []
    return ProblemError(409, error.code, str(error), errors=errors)


def _list_expired(_: Exception) -> ProblemError:
    detail = "The list that this cursor continues is not kept any more. Start again without a cursor."
    return ProblemError(410, "cursor_expired", detail)


def _full(_: Exception) -> ProblemError:
    detail = "The service has no space left to store this. What is stored can be read and deleted. Try again later."
    return ProblemError(507, "storage_full", detail, headers={"Retry-After": "60"})


def _operating_system(error: OSError) -> ProblemError | None:
    if error.errno in _FULL:
        return _full(error)
    return _unavailable(error) if error.errno in _EXHAUSTED else None


def _unavailable(_: Exception) -> ProblemError:
    detail = "A part of the service is not available at the moment. Try again in a few seconds."
    return ProblemError(503, "unavailable", detail, headers={"Retry-After": "2"})


def _routing_problem(error: web.HTTPException) -> ProblemError:
    status = error.status if error.status >= 400 else 500
    # aiohttp's own text is only the status line; a handler's text says more.
    text = error.text if error.text != f"{error.status}: {error.reason}" else None
    detail = text or _ROUTING_DETAILS.get(status, error.reason)
    headers = {name: error.headers[name] for name in _ROUTING_HEADERS if name in error.headers}
    return ProblemError(status, _ROUTING_CODES.get(status, "http_error"), detail, headers=headers)


# By the error type of pydantic, whose own sentences are written for the authors of a model.
_MESSAGES = {
    "missing": "This field is required.",
    "extra_forbidden": "There is no field of this name.",
    "string_type": "This should be a string.",
    "bool_type": "This should be true or false.",
    "bool_parsing": "This should be true or false.",
    "int_type": "This should be a whole number.",
    "int_parsing": "This should be a whole number.",
    "list_type": "This should be a list.",
    "dict_type": "This should be an object.",
    "model_type": "This should be an object.",
    "enum": "This should be {expected}.",
    "literal_error": "This should be {expected}.",
    "greater_than_equal": "This should be at least {ge}.",
    "less_than_equal": "This should be at most {le}.",
    "string_too_long": "This may have at most {max_length} characters.",
    "string_too_short": "This should have at least {min_length} characters.",
    "too_long": "This may have at most {max_length} items.",
    "too_short": "This should have at least {min_length} characters.",
}


def _message(item: ErrorDetails) -> str:
    kind, context = item["type"], item.get("ctx", {})
    # Our own validators make a text without a visible character empty.
    if kind in {"string_too_short", "too_short"} and context.get("min_length") == 1:
        return "This should not be empty."
    if kind in _MESSAGES:
        return _MESSAGES[kind].format(**context)
    # The sentences of our own validators have a prefix of pydantic, and its own have no full stop.
    message = item["msg"].removeprefix("Value error, ")
    return message if message.endswith(".") else message + "."


_TABLE: tuple[tuple[type[Exception], Callable[[Any], ProblemError | None]], ...] = (
    (ProblemError, lambda error: error),
    (NotFoundError, _not_found),
    (ConflictError, _conflict),
    (InvalidValueError, lambda error: ProblemError(422, "invalid_input", str(error))),
    (ListExpiredError, _list_expired),
    (FullError, _full),
    (UnavailableError, _unavailable),
    (LiveUnavailableError, _unavailable),
    (WrongCredentialsError, lambda error: unauthorized("wrong_credentials", str(error), charge=error.charge)),
    (DeletionPendingError, _deletion_pending),
    (WrongPasswordError, _wrong_password),
    (SignInExpiredError, lambda error: ProblemError(410, "sign_in_expired", str(error))),
    (ProviderRefusedError, lambda error: ProblemError(403, "provider_refused", str(error))),
    (AccountRequiredError, _account_required),
    (ProviderUnavailableError, _provider_unavailable),
    (ProviderResponseError, _provider_invalid),
    (SecondFactorRequiredError, _second_factor),
    (ChallengeError, lambda error: unauthorized("challenge_invalid", str(error))),
    (WrongCodeError, _wrong_code),
    (PasskeyError, lambda error: ProblemError(403, "passkey_refused", str(error))),
    (
        ReauthenticationRequiredError,
        lambda error: ProblemError(403, "reauthentication_required", str(error)),
    ),
    (RefreshTokenError, lambda error: unauthorized("refresh_token_invalid", str(error))),
    (VerdictTokenError, lambda error: ProblemError(403, error.code, str(error))),
    (PhotoDeletedError, lambda error: ProblemError(410, "photo_deleted", str(error))),
    (LinkInvalidError, lambda error: ProblemError(404, "link_invalid", str(error))),
    (LinkUsedError, lambda error: ProblemError(410, "link_used", str(error))),
    (LinkExpiredError, lambda error: ProblemError(410, "link_expired", str(error))),
    (SessionRevokedError, lambda error: unauthorized("session_revoked", str(error))),
    (AccountSuspendedError, _suspended),
    (NotPermittedError, lambda error: ProblemError(403, error.code, str(error))),
    (NewAccountLimitedError, _new_account_limited),
    (RateLimitedError, _rate_limited),
    (PasswordsBusyError, lambda error: ProblemError(503, "busy", str(error), headers={"Retry-After": "3"})),
    (BadCursorError, lambda error: bad_field("cursor", str(error))),
    (UrlRefusedError, lambda error: bad_field("url", str(error), status=422)),
    (ValidationError, invalid),
    (web.HTTPException, _routing_problem),
    (OSError, _operating_system),
)


def unauthorized(code: str, detail: str, *, charge: Charge | None = None) -> ProblemError:
    """Return a 401, with the header fields of the rate limit that the request was charged to."""
    challenge = (
        'Bearer realm="picshare"' if code == "unauthorized" else 'Bearer realm="picshare", error="invalid_token"'
    )
    headers = {} if charge is None else rate_limit_headers(charge)
    return ProblemError(401, code, detail, headers={**headers, "WWW-Authenticate": challenge})


def sign_in_required() -> ProblemError:
    """Return the 401 for a request without credentials."""
    return unauthorized("unauthorized", "Sign in first: this request needs an access token.")
