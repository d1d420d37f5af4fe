"""The doctor's check of a provider with which users sign in: its documents are fetched, and no user is signed in."""

from __future__ import annotations

from server.administration.findings import Finding
from server.composition.oidc import provider_settings
from server.config.settings import Settings
from server.openid.client import ProviderClient
from server.openid.errors import ProviderError, ProviderUnavailableError
from server.openid.provider import ProviderSettings
from storage.circuit import Circuit


async def inspect_providers(settings: Settings) -> list[Finding]:
    """Return a finding for each provider of the settings; none raises."""
    return [await _inspect(provider, settings.public_url) for provider in provider_settings(settings)]


async def _inspect(provider: ProviderSettings, public_url: str) -> Finding:
    client, name = ProviderClient(provider, Circuit()), f"oidc:{provider.name}"
    try:
        metadata, keys = await client.metadata(), await client.keys()
    except ProviderUnavailableError as error:
        remedy = (
            "Check its issuer in [[oidc.providers]], and that it runs; private = true allows one that is not public."
        )
        return Finding(name=name, detail=str(error), remedy=remedy)
    except ProviderError as error:
        return Finding(name=name, detail=str(error), remedy="Copy the issuer from the provider's discovery document.")
    if not keys:
        return Finding(
            name=name, detail="it has no key to sign with", remedy="Let the provider sign with RS256 or ES256."
        )
    methods = metadata.challenge_methods
    if methods is not None and "S256" not in methods:
        remedy = "Allow PKCE with S256 at the provider: without it, a stolen code may be used."
        return Finding(name=name, detail="it does not support PKCE with S256", remedy=remedy)
    redirect_uri = f"{public_url}/api/v1/oidc/{provider.name}/callback"
    return Finding(name=name, detail=f"{len(keys)} signing keys; its client needs the redirect URI {redirect_uri}")
