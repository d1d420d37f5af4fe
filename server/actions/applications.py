"""Register applications that use the API for their users, change and delete them."""

from __future__ import annotations

from dataclasses import dataclass

from server.actions.sessions import SessionService
from server.identity.opaque_tokens import TokenKind, digest, new_token
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import Charge
from storage import ids
from storage.oauth import Application
from storage.postgres.database import Database
from storage.stores.credentials import oauth_clients, sessions, token_lists
from storage.stores.credentials.oauth_clients import ApplicationFields

QUOTA = "writes"
_ADDRESS_QUOTA = "new_applications"
_AT_ONCE = 500  # sessions of a deleted application that end in one transaction


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """An application and its secret, which is shown this once; None for a public application."""

    application: Application
    secret: str | None


class ApplicationActions:
    """Registration of applications, by their developers and by themselves."""

    def __init__(self, db: Database, limiter: RateLimiter, service: SessionService) -> None:
        self._db = db
        self._limiter = limiter
        self._sessions = service

    async def register(self, owner_id: int | None, fields: ApplicationFields, *, confidential: bool) -> Registered:
        """Register an application of a user, or one that registers itself, after `charge_registration`.

        Raises `ConflictError` too_many_applications.
        """
        shard = oauth_clients.new_shard(owner_id)
        secret = new_token(TokenKind.SECRET, shard) if confidential else None
        async with self._db.transaction() as tx:
            application = await oauth_clients.add(
                tx, owner_id, fields, secret_sha256=None if secret is None else digest(secret), shard_=shard
            )
        return Registered(application=application, secret=secret)

    async def charge_registration(self, address: str) -> Charge:
        """Charge an application that registers itself to the network address; raise `RateLimitedError`."""
        return await self._limiter.check_address(_ADDRESS_QUOTA, address)

    async def of_owner(self, owner_id: int) -> list[Application]:
        """Return the applications of a user."""
        return await oauth_clients.of_owner(self._db, owner_id)

    async def get(self, client_id: int, *, owner_id: int) -> Application:
        """Return an application of a user; raise `NotFoundError("application")`."""
        return await oauth_clients.get(self._db, client_id, owner_id=owner_id)

    async def update(self, client_id: int, fields: ApplicationFields, *, owner_id: int) -> Application:
        """Change an application of a user; raise `NotFoundError("application")`."""
        async with self._db.transaction() as tx:
            return await oauth_clients.update(tx, client_id, fields, owner_id=owner_id)

    async def renew_secret(self, client_id: int, *, owner_id: int) -> Registered:
        """Replace the secret of a confidential application, at once; raise `NotFoundError("application")`."""
        secret = new_token(TokenKind.SECRET, ids.shard_of(client_id))
        async with self._db.transaction() as tx:
            application = await oauth_clients.set_secret(tx, client_id, digest(secret), owner_id=owner_id)
        return Registered(application=application, secret=secret)

    async def delete(self, client_id: int, *, owner_id: int) -> None:
        """Delete an application of a user; its tokens end. Raises `NotFoundError("application")`."""
        async with self._db.transaction() as tx:
            await oauth_clients.delete(tx, client_id, owner_id=owner_id)
        # The first ones at once; the janitor ends all others, and deletes the application.
        async with self._db.transaction() as tx:
            ended = [
                (user_id, session)
                for user_id, session in await token_lists.sessions_of(tx, client_id, limit=_AT_ONCE)
                if await sessions.revoke(tx, user_id, session)
            ]
        for user_id, session in ended:
            await self._sessions.revoke(user_id, [session])
