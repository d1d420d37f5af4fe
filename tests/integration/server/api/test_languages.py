"""Errors in the language of the client, and the language of the account."""

from __future__ import annotations

import pytest

from locales.catalogues import LANGUAGES
from storage.models import LanguageChoice
from tests.support.api import Api

pytestmark = pytest.mark.engines


@pytest.mark.parametrize(
    ("languages", "language", "detail"),
    [
        ("de-DE, en;q=0.5", "de", "Du kannst dir nicht selbst folgen."),
        ("ar", "ar", "لا يمكنك متابعة نفسك."),
        ("fr", "en", "You cannot follow yourself."),
    ],
)
async def test_an_error_is_in_the_language_of_the_client(api: Api, languages: str, language: str, detail: str) -> None:
    """The sentence changes, and neither the code nor the title."""
    user = await api.user()
    response = await user.call("PUT", f"/users/{user.id}/follow", headers={"Accept-Language": languages})
    assert response.json["detail"] == detail
    assert response.headers["Content-Language"] == language
    assert "Accept-Language" in response.headers["Vary"]
    english = await user.call("PUT", f"/users/{user.id}/follow")
    assert {name: response.json[name] for name in ("code", "title", "type", "status")} == {
        name: english.json[name] for name in ("code", "title", "type", "status")
    }


async def test_an_error_of_a_field_is_in_the_language_of_the_client(api: Api) -> None:
    """With the values in it, which are written as the language does."""
    user = await api.user()
    response = await user.call(
        "PATCH", "/users/me", json={"bio": "x" * 501, "display_name": ""}, headers={"Accept-Language": "de"}
    )
    messages = {error["field"]: error["message"] for error in response.json["errors"]}
    assert messages == {
        "bio": "Hier sind höchstens 500 Zeichen möglich.",
        "display_name": "Das sollte nicht leer sein.",
    }
    assert response.json["detail"] == " ".join(f"{field}: {message}" for field, message in messages.items())


async def test_an_account_keeps_a_language(api: Api) -> None:
    """It is that of the browser until the user chooses one of those that there are."""
    user = await api.user()
    assert (await user.call("GET", "/users/me")).expect(200)["language"] == "auto"
    for language in (*LANGUAGES, "auto"):
        changed = (await user.call("PATCH", "/users/me", json={"language": language})).expect(200)
        assert changed["language"] == language
    assert (await user.call("PATCH", "/users/me", json={"language": "tlh"})).status == 422
    assert {choice.value for choice in LanguageChoice} == {*LANGUAGES, "auto"}
