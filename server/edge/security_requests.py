"""Models of request bodies about the security of an account."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from server.edge.fields import Password
from server.edge.requests import QueryModel, RequestModel
from storage import texts

GivenPassword = Annotated[str, Field(min_length=1, max_length=256)]
Code = Annotated[str, Field(min_length=6, max_length=40, examples=["123456", "abcd-efgh-ijkl-mnop"])]
# As PublicKeyCredential.toJSON() returns it (WebAuthn Level 3, section 5.1): the relying party checks its fields.
Credential = Annotated[dict[str, Any], Field(description="A credential, as `PublicKeyCredential.toJSON()` returns it.")]
PasskeyName = Annotated[str, Field(max_length=60), AfterValidator(texts.single_line), Field(min_length=1)]


class PasswordChangeRequest(RequestModel):
    """The present password and the new one; with `end_apps` applications lose their access, and all tokens end."""

    current_password: GivenPassword
    new_password: Password
    end_apps: bool = False


class ReauthenticationRequest(RequestModel):
    """One proof of the user's identity: the password, a one-time code or recovery code, or a passkey."""

    password: GivenPassword | None = None
    code: Code | None = None
    credential: Credential | None = None

    @model_validator(mode="after")
    def _is_one(self) -> ReauthenticationRequest:
        if sum(value is not None for value in (self.password, self.code, self.credential)) != 1:
            raise ValueError("Send either password, code or credential.")
        return self


class CodeRequest(RequestModel):
    """A one-time code."""

    code: Code


class SecondFactorRequest(CodeRequest):
    """The challenge of a sign-in and a one-time code or recovery code; `cookie` as for signing in."""

    challenge: Annotated[str, Field(min_length=1, max_length=500)]
    cookie: bool = False


class PasskeySignInRequest(RequestModel):
    """The answer of an authenticator; `cookie` as for signing in."""

    credential: Credential
    cookie: bool = False


class PasskeyCreate(RequestModel):
    """A new passkey and its name."""

    credential: Credential
    name: PasskeyName = "Passkey"


class PasskeyUpdate(RequestModel):
    """Another name of a passkey."""

    name: PasskeyName


class OtherSessionsQuery(QueryModel):
    """Which sessions are to end: all but the present one."""

    others: Literal["true"]
