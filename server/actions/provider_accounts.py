"""Sign in, sign up and link accounts with the identities that providers have named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from server.actions import security_notices
from server.actions.accounts import AccountActions
from server.actions.credentials import CredentialChecks
from server.actions.provider_flow import Departure, Named, ProviderFlow
from server.actions.reauthentication import Reauthentication
from server.actions.sessions import NewSession
from server.actions.sign_in import SignInActions
from server.identity.clients import Client
from server.identity.errors import (
    AccountRequiredError,
    DeletionPendingError,
    SecondFactorRequiredError,
    SignInExpiredError,
)
from server.openid.id_tokens import IdClaims
from storage.errors import ConflictError, NotFoundError
from storage.notifications import SecurityEvent
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import email_addresses, users
from storage.stores.credentials import identities
from storage.stores.credentials.identities import Identity

LINK_QUOTA = "writes"


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkedIdentity:
    """An identity of an account; the name and the label are empty if its provider is not configured any more."""

    identity: Identity
    provider: str
    label: str


class ProviderAccounts:
    """Accounts of the identities that `flow` has verified; a `token` is one of `ProviderFlow.arrive`."""

    def __init__(
        self,
        db: Database,
        flow: ProviderFlow,
        accounts: AccountActions,
        sign_in: SignInActions,
        *,
        checks: CredentialChecks,
        reauthentication: Reauthentication,
    ) -> None:
        self._db = db
        self.flow = flow
        self._accounts = accounts
        self._sign_in = sign_in
        self._checks = checks
        self._reauthentication = reauthentication

    async def sign_in(self, token: str, *, client: Client, restore: bool = False) -> NewSession:
        """Open a session of the account to which the named identity belongs; with `restore` undo its deletion.

        An identity without an account is linked with the one that has its address, if both sides have verified that.
        Raises `SignInExpiredError`, `AccountRequiredError` if there is no account, `RateLimitedError`,
        `DeletionPendingError`, `SecondFactorRequiredError`, and `AccountSuspendedError`.
        """
        named = await self._named(token)
        charge = await self._checks.charge_address(client.address)
        issuer = self.flow.provider(named.provider).issuer
        user_id = await identities.user_of(self._db, issuer, named.claims.subject)
        if user_id is None:
            user_id = await self._link_by_address(named, issuer, client)
        found = None if user_id is None else await users.credentials_of(self._db, user_id)
        if user_id is None or found is None:
            raise _account_required(named)
        pending = found.deletion_due_at
        if pending is not None and not restore:
            raise DeletionPendingError(charge, pending)
        await identities.used(self._db, user_id, issuer)
        try:
            session = await self._sign_in.after_first_factor(found, charge, client=client, restore=pending is not None)
        except SecondFactorRequiredError:
            # The challenge goes on without the identity.
            await self._done(token, named, "signed_in")
            raise
        await self._done(token, named, "signed_in")
        return session

    async def sign_up(self, token: str, *, username: str, email: str, display_name: str, client: Client) -> NewSession:
        """Create an account for the named identity, without a password, and open a session.

        Raises `SignInExpiredError`, `RateLimitedError`, and `ConflictError`: username_taken, or identity_taken if the
        identity has got an account meanwhile.
        """
        named = await self._named(token)
        claims, issuer = named.claims, self.flow.provider(named.provider).issuer
        session = await self._accounts.sign_up_as(
            lambda tx, user: identities.add(tx, user.id, issuer, claims.subject, email=claims.email),
            username=username,
            email=email,
            verified=claims.email_verified and email.lower() == claims.email.lower(),
            display_name=display_name,
            client=client,
        )
        await self._done(token, named, "signed_up")
        return session

    async def start_link(self, name: str, viewer_id: int, session: str) -> Departure:
        """Return where the viewer has to go to link a provider.

        Raises `ReauthenticationRequiredError`, and what `ProviderFlow.depart` raises.
        """
        await self._reauthentication.require(viewer_id, session)
        return await self.flow.depart(name, linked_to=viewer_id)

    async def link(self, token: str, viewer_id: int, *, client: Client) -> LinkedIdentity:
        """Link the named identity with the account of the viewer, who has asked for that, and notify the user.

        Raises `SignInExpiredError`, and `ConflictError`: identity_taken, provider_linked.
        """
        named = await self._named(token, linked_to=viewer_id)
        provider = self.flow.provider(named.provider)
        async with self._db.transaction() as tx:
            await _add(tx, viewer_id, provider.issuer, named.claims, client)
            found = await identities.of_account(tx, viewer_id)
        await self._done(token, named, "linked")
        (identity,) = (each for each in found if each.issuer == provider.issuer)
        return LinkedIdentity(identity=identity, provider=provider.name, label=provider.label)

    async def unlink(self, viewer_id: int, session: str, provider: str) -> None:
        """Remove the identity of a provider from the viewer's account.

        Raises `NotFoundError`: provider, identity; `ReauthenticationRequiredError`; and `ConflictError`
        last_sign_in_method.
        """
        issuer = self.flow.provider(provider).issuer
        await self._reauthentication.require(viewer_id, session)
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

    async def _link_by_address(self, named: Named, issuer: str, client: Client) -> int | None:
        """Link the identity with the account whose user has verified the same address; return that account."""
        if not named.claims.email_verified:
            return None
        owner = await email_addresses.claimant(self._db, named.claims.email)
        recipient = None if owner is None else await email_addresses.recipient(self._db, owner)
        if owner is None or recipient is None or not recipient.verified:
            return None
        try:
            async with self._db.transaction() as tx:
                await _add(tx, owner, issuer, named.claims, client)
        except (ConflictError, NotFoundError):
            # The account has another identity of the provider, or is being deleted.
            return None
        return owner

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


def _account_required(named: Named) -> AccountRequiredError:
    claims = named.claims
    return AccountRequiredError(
        provider=named.provider,
        email=claims.email,
        email_verified=claims.email_verified,
        display_name=claims.name,
        username=claims.username,
    )


async def _add(tx: Transaction, user_id: int, issuer: str, claims: IdClaims, client: Client) -> None:
    if await identities.add(tx, user_id, issuer, claims.subject, email=claims.email):
        security_notices.record(tx, user_id, SecurityEvent.PROVIDER_LINKED, device=client.name)
