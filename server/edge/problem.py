"""A problem: an error of the API with a status, a code for programs and a sentence for human readers (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from locales.sentences import Sentence, sentence
from server.identity.rate_limits import Charge, rate_limit_headers

FieldError = tuple[str, str]  # the field's name, and what is wrong with it


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


def unexpected() -> ProblemError:
    """Return the problem for an unexpected exception, which discloses nothing about it."""
    return ProblemError(
        500, "internal_error", "Something went wrong on the server. If it happens again, report the request id."
    )


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
        values = {name: value if isinstance(value, int) else str(value) for name, value in context.items()}
        return sentence(_MESSAGES[kind], **values)
    if isinstance(own := context.get("error"), ValueError) and own.args and isinstance(own.args[0], Sentence):
        return own.args[0]
    # The sentences of our own validators have a prefix of pydantic, and its own have no full stop.
    message = item["msg"].removeprefix("Value error, ")
    return message if message.endswith(".") else message + "."
