"""Sign-in with the providers of the settings."""

from __future__ import annotations

from server.actions.accounts import AccountActions
from server.actions.credentials import CredentialChecks
from server.actions.provider_accounts import ProviderAccounts
from server.actions.provider_flow import ProviderFlow
from server.actions.reauthentication import Reauthentication
from server.actions.sign_in import SignInActions
from server.composition.backends import Stores
from server.config.settings import Settings
from server.openid.client import CIRCUIT, ProviderClient
from server.openid.provider import ProviderSettings
from server.operation.metrics import Metrics
from storage.limits.provider_sign_ins import ProviderSignIns
from workers.outbound.circuits import CircuitRegistry

TTL = 600  # seconds in which a user has to come back from a provider, and then to end the sign-in


def provider_settings(settings: Settings) -> list[ProviderSettings]:
    """Return the providers in the settings."""
    section = settings.oidc
    return [
        ProviderSettings(
            name=each.name,
            label=each.label or each.name,
            issuer=each.issuer,
            client_id=each.client_id,
            client_secret=None if each.client_secret is None else each.client_secret.get_secret_value(),
            scopes=each.scopes,
            private=each.private,
            timeout=section.timeout,
        )
        for each in section.providers
    ]


def provider_accounts(
    settings: Settings,
    stores: Stores,
    *,
    accounts: AccountActions,
    sign_in: SignInActions,
    checks: CredentialChecks,
    reauthentication: Reauthentication,
    metrics: Metrics | None,
) -> ProviderAccounts:
    """Return the use cases of sign-in with providers."""
    circuits = CircuitRegistry(metrics)
    clients = [
        ProviderClient(each, circuits.circuit(f"oidc:{each.name}", CIRCUIT)) for each in provider_settings(settings)
    ]
    flow = ProviderFlow(
        clients, ProviderSignIns(stores.redis, ttl=TTL), public_url=settings.public_url, metrics=metrics
    )
    return ProviderAccounts(stores.db, flow, accounts, sign_in, checks=checks, reauthentication=reauthentication)
