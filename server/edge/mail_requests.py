"""Models of the bodies and queries about e-mail addresses, forgotten passwords and mails."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from server.edge.fields import Email, Password
from server.edge.requests import QueryModel, RequestModel

LINK_PATTERN = "^[A-Za-z0-9_-]{1,100}$"
_Answer = Annotated[Literal["confirm", "stop"], WithJsonSchema({"type": "string", "enum": ["confirm", "stop"]})]


class EmailChangeRequest(RequestModel):
    """The new address of the account.

    If the user has not just signed in or given another proof, the password confirms the request.
    """

    email: Email
    password: Annotated[str, Field(min_length=1, max_length=256)] | None = None


class EmailChangeAnswer(RequestModel):
    """The answer of one of the two addresses to a change."""

    action: _Answer = "confirm"


class PasswordResetRequest(RequestModel):
    """The e-mail address of an account whose password is forgotten."""

    email: Email


class NewPasswordRequest(RequestModel):
    """The new password of an account."""

    password: Password


class UnsubscribeQuery(QueryModel):
    """The token of the link to unsubscribe."""

    token: Annotated[str, Field(max_length=200)] = ""
