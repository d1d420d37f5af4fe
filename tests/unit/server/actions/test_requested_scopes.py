"""The scopes that applications request with a token."""

from __future__ import annotations

import pytest

from server.actions.token_grants import requested_scopes
from server.identity.errors import OAuthError


def test_scopes_are_named_once() -> None:
    """Without the parameter there are none; one that is named twice counts once."""
    assert requested_scopes(None) is None
    assert requested_scopes("read  write:likes read") == ("read", "write:likes")


@pytest.mark.parametrize("text", ["", " ", "read moderation", "read unknown"])
def test_scopes_that_no_application_gets(text: str) -> None:
    """Decisions about other users are made by moderators in person, and not by their applications."""
    with pytest.raises(OAuthError) as refused:
        requested_scopes(text)
    assert refused.value.code == "invalid_scope"
