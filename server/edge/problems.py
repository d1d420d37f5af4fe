"""Errors of the API: one table from the exceptions of our packages to problems.

An exception that is not in the table becomes a 500 that contains the request id and no detail.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from channels.contract.errors import LiveUnavailableError
from locales.sentences import Sentence, sentence
from server.edge.paging import BadCursorError
from server.edge.problem import ProblemError, bad_field, invalid, unauthorized
from server.identity.errors import (
    AccountRequiredError,
    AccountSuspendedError,
    ChallengeError,
    DeletionPendingError,
    InsufficientScopeError,
    LinkExpiredError,
    LinkInvalidError,
    LinkUsedError,
    NewAccountLimitedError,
    NotPermittedError,
    OAuthError,
    PasskeyError,
    PasswordsBusyError,
    ProviderRefusedError,
    RateLimitedError,
    ReauthenticationRequiredError,
    RefreshTokenError,
    SecondFactorRequiredError,
    SessionRequiredError,
    SessionRevokedError,
    SignInExpiredError,
    WrongCodeError,
    WrongCredentialsError,
    WrongPasswordError,
)
from server.identity.rate_limits import rate_limit_headers
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

# Errors of the operating system that pass: no space, no more files or memory.
_FULL = {errno.ENOSPC, errno.EDQUOT}
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS}

_ROUTING_CODES = {404: "route_not_found", 405: "method_not_allowed", 413: "body_too_large"}
_ROUTING_DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not support this method; the header Allow lists those it supports.",
    413: "The body is larger than this path allows.",
}
_ROUTING_HEADERS = ("Allow", "Retry-After", "Upgrade", "Sec-WebSocket-Version")


def problem_of(error: Exception) -> ProblemError | None:
    """Return the problem for an exception, or None for an unexpected one."""
    for kind, translate in _TABLE:
        if isinstance(error, kind):
            return translate(error)
    return None


def _not_found(error: NotFoundError) -> ProblemError:
    # What the viewer may not see does not differ from what does not exist, or its existence would be disclosed.
    detail = sentence("There is no such {what}, or you may not see it.", what=Sentence.made(error.what, None, {}))
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
    # The reason is for the operator, in the log: the user cannot mend it, and an attacker would learn from it.
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


def _insufficient_scope(error: InsufficientScopeError) -> ProblemError:
    # RFC 6750, section 3.1.
    challenge = f'Bearer realm="picshare", error="insufficient_scope", scope="{error.scope}"'
    return ProblemError(
        403,
        "insufficient_scope",
        str(error),
        headers={"WWW-Authenticate": challenge},
        members={"scope": error.scope},
    )


def _oauth(error: OAuthError) -> ProblemError:
    return ProblemError(400, "authorization_invalid", str(error), members={"error": error.code})


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
    (OAuthError, _oauth),
    (InsufficientScopeError, _insufficient_scope),
    (SessionRequiredError, lambda error: ProblemError(403, "session_required", str(error))),
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
