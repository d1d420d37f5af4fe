"""The doctor's check of the providers with which users sign in."""

from __future__ import annotations

from typing import Any

import pytest

from server.administration.oidc_check import inspect_providers
from server.config.settings import Settings
from tests.support.issuer import running_issuer


@pytest.mark.parametrize(
    ("knobs", "detail", "remedy"),
    [
        ({}, "1 signing keys; its client needs the redirect URI http://127.0.0.1:8080/api/v1/oidc/id/callback", ""),
        ({"metadata": {"issuer": "https://other.example"}}, "https://other.example", "Copy the issuer"),
        ({"statuses": {"/keys": 503}}, "responds with 503", "Check its issuer"),
        ({"keys": []}, "no key", "RS256"),
        ({"metadata": {"code_challenge_methods_supported": ["plain"]}}, "S256", "PKCE"),
    ],
)
async def test_a_provider_is_judged_by_its_documents(knobs: dict[str, Any], detail: str, remedy: str) -> None:
    """The finding names the redirect URI, or what is wrong and how it is mended."""
    assert await inspect_providers(Settings()) == []
    async with running_issuer(**knobs) as issuer:
        settings = Settings().with_values("oidc", providers=[issuer.settings])
        (finding,) = await inspect_providers(settings)
    assert finding.name == "oidc:id"
    assert detail in finding.detail
    assert remedy in finding.remedy
    assert finding.ok is (remedy == "")
