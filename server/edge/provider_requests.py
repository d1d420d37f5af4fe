"""Bodies of requests about sign-in with providers."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, model_validator

from server.edge.fields import DisplayName, Email, Username, not_reserved
from server.edge.requests import RequestModel


class ProviderSignIn(RequestModel):
    """The end of a sign-in with a provider, which the browser's cookie names.

    With `username` and `email` it creates an account; with `restore` it undoes the deletion of the account. With
    `cookie` the tokens are set as cookies instead of being returned in the body.
    """

    username: Annotated[Username, AfterValidator(not_reserved)] | None = None
    email: Email | None = None
    display_name: DisplayName = ""
    restore: bool = False
    cookie: bool = False

    @model_validator(mode="after")
    def _has_both(self) -> ProviderSignIn:
        if (self.username is None) != (self.email is None):
            raise ValueError("A new account needs a username and an e-mail address.")
        return self
