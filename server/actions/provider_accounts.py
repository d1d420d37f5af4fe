"""Sign in, sign up and link accounts with the identities that providers have named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.actions.accounts import AccountActions, NewSession
from server.actions.provider_flow import Named, ProviderFlow
from server.identity.errors import AccountRequiredError, SignInExpiredError
from storage.errors import NotFoundError
from storage.postgres.database import Database
from storage.stores import identities
from storage.stores.identities import Identity

LINK_QUOTA = "writes"


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedIdentity:
    """An identity of an account; the name and the label are empty if its provider is not configured any more."""

    identity: Identity
    provider: str
    label: str


class ProviderAccounts:
    """Accounts of the identities that `flow` has verified; a `token` is one of `ProviderFlow.arrive`."""

    def __init__(self, db: Database, flow: ProviderFlow, accounts: AccountActions) -> None:
        self._db = db
        self.flow = flow
        self._accounts = accounts

    async def sign_in(self, token: str, *, address: str, restore: bool = False) -> NewSession:
        """Open a session of the account to which the named identity belongs.

        Raises `SignInExpiredError`, `AccountRequiredError` if it belongs to none, and what
        `AccountActions.sign_in_as` raises.
        """
        named = await self._named(token)
        issuer = self.flow.provider(named.provider).issuer
        user_id = await identities.user_of(self._db, issuer, named.claims.subject)
        if user_id is None:
            raise AccountRequiredError(
                provider=named.provider,
                email=named.claims.email,
                email_verified=named.claims.email_verified,
                display_name=named.claims.name,
                username=named.claims.username,
            )
        session = await self._accounts.sign_in_as(user_id, address=address, restore=restore)
        await identities.used(self._db, user_id, issuer)
        await self._done(token, named, "signed_in")
        return session

    async def sign_up(self, token: str, *, username: str, email: str, display_name: str, address: str) -> NewSession:
        """Create an account for the named identity, without a password, and open a session.

        Raises `SignInExpiredError`, `RateLimitedError`, and `ConflictError`: username_taken, email_taken, or
        identity_taken if the identity has got an account meanwhile.
        """
        named = await self._named(token)
        claims, issuer = named.claims, self.flow.provider(named.provider).issuer
        session = await self._accounts.sign_up_as(
            lambda tx, user: identities.add(tx, user.id, issuer, claims.subject, email=claims.email),
            username=username,
            email=email,
            display_name=display_name,
            address=address,
        )
        await self._done(token, named, "signed_up")
        return session

    async def link(self, token: str, viewer_id: int) -> LinkedIdentity:
        """Link the named identity with the account of the viewer, who has asked for that.

        Raises `SignInExpiredError`, and `ConflictError`: identity_taken, provider_linked.
        """
        named = await self._named(token, linked_to=viewer_id)
        provider = self.flow.provider(named.provider)
        async with self._db.transaction() as tx:
            await identities.add(tx, viewer_id, provider.issuer, named.claims.subject, email=named.claims.email)
            found = await identities.of_account(tx, viewer_id)
        await self._done(token, named, "linked")
        (identity,) = (each for each in found if each.issuer == provider.issuer)
        return LinkedIdentity(identity=identity, provider=provider.name, label=provider.label)

    async def unlink(self, viewer_id: int, provider: str) -> None:
        """Remove the identity of a provider from the viewer's account.

        Raises `NotFoundError`: provider, identity; and `ConflictError` last_sign_in_method.
        """
        issuer = self.flow.provider(provider).issuer
        usable = [each.issuer for each in self.flow.providers]
        async with self._db.transaction() as tx:
            await identities.remove(tx, viewer_id, issuer, usable=usable)

    async def linked(self, viewer_id: int) -> tuple[Sequence[LinkedIdentity], bool]:
        """Return the identities of the viewer's account, the oldest first, and whether it has a password."""
        known = {each.issuer: each for each in self.flow.providers}
        found = await identities.of_account(self._db, viewer_id)
        return [
            LinkedIdentity(
                identity=identity,
                provider=known[identity.issuer].name if identity.issuer in known else "",
                label=known[identity.issuer].label if identity.issuer in known else "",
            )
            for identity in found
        ], await identities.has_password(self._db, viewer_id)

    async def _named(self, token: str, *, linked_to: int | None = None) -> Named:
        payload = await self.flow.sign_ins.returned(token) if token else None
        if payload is None:
            raise SignInExpiredError
        named = Named.of(payload)
        # What one user has asked to link opens no session, and is linked with no other account.
        if named.linked_to != linked_to:
            raise SignInExpiredError
        try:
            self.flow.provider(named.provider)
        except NotFoundError as error:
            raise SignInExpiredError from error
        return named

    async def _done(self, token: str, named: Named, outcome: str) -> None:
        await self.flow.sign_ins.end(token)
        self.flow.metrics.provider_sign_in(named.provider, outcome)
