"""Bodies of responses about sign-in with providers."""

from __future__ import annotations

from server.edge.responses import ResponseModel, Time
from storage.render.timestamps import timestamp
from storage.stores.credentials.identities import Identity


class ProviderResponse(ResponseModel):
    """A provider with which users can sign in: its name in addresses, and the one that users see."""

    name: str
    label: str


class ProvidersResponse(ResponseModel):
    """The providers, in the order of the operator's."""

    items: list[ProviderResponse]


class ProviderAddressResponse(ResponseModel):
    """The address at the provider to which the browser has to go, within `expires_in` seconds."""

    url: str
    expires_in: int


class IdentityResponse(ResponseModel):
    """An account at a provider with which the user can sign in; `email` is the one of there, or empty.

    `provider` and `label` are null if the provider is not configured any more.
    """

    provider: str | None
    label: str | None
    email: str
    created_at: Time
    last_used_at: Time | None

    @classmethod
    def from_model(cls, identity: Identity, *, provider: str, label: str) -> IdentityResponse:
        """Return the identity for its owner."""
        used = identity.last_used_at
        return cls(
            provider=provider or None,
            label=label or None,
            email=identity.email,
            created_at=timestamp(identity.created_at),
            last_used_at=None if used is None else timestamp(used),
        )


class IdentitiesResponse(ResponseModel):
    """The identities of an account, the oldest first, and whether it has a password."""

    items: list[IdentityResponse]
    password: bool
