"""Sign in: by a password, with a code where the account asks for one, or by a passkey."""

from __future__ import annotations

from typing import Any

from server.actions import security_notices
from server.actions.credentials import CredentialChecks
from server.actions.live_permissions import at_once
from server.actions.passkeys import PasskeyActions
from server.actions.second_factor import SecondFactor
from server.actions.sessions import NewSession, SessionService
from server.actions.sign_in_challenges import SignInChallenges
from server.actions.sign_in_metrics import NoSignInMetrics, SignInMetrics, counted
from server.identity.clients import Client, device_name
from server.identity.device_tokens import DeviceTokens
from server.identity.errors import (
    AccountSuspendedError,
    ChallengeError,
    DeletionPendingError,
    PasskeyError,
    SecondFactorRequiredError,
    WrongCredentialsError,
)
from server.identity.rate_limits import Charge
from storage.errors import ConflictError, NotFoundError
from storage.models import User
from storage.notifications import SecurityEvent
from storage.postgres.database import Database, Transaction
from storage.stores.accounts import account_deletion, users
from storage.stores.accounts.users import Credentials
from storage.stores.credentials import session_lists
from workers.jobs.feeds.account_visibility import AccountVisibility


class SignInActions:
    """Sign in, and undo the deletion of an account; each opens a session."""

    def __init__(
        self,
        db: Database,
        checks: CredentialChecks,
        sessions: SessionService,
        factor: SecondFactor,
        passkeys: PasskeyActions,
        *,
        challenges: SignInChallenges,
        devices: DeviceTokens,
        visibility: AccountVisibility,
        metrics: SignInMetrics | None = None,
    ) -> None:
        self._metrics = metrics or NoSignInMetrics()
        self._db = db
        self._checks = checks
        self._sessions = sessions
        self._factor = factor
        self._passkeys = passkeys
        self._challenges = challenges
        self._devices = devices
        self._visibility = visibility

    async def by_password(self, login: str, password: str, *, client: Client) -> NewSession:
        """Open a session by username or e-mail address and password.

        Raises `RateLimitedError`, and the same `WrongCredentialsError` for an unknown name and for a wrong password.
        An account that is deleted while the password is verified is unknown. Only for the right password it raises
        `DeletionPendingError` for one whose deletion can be undone (`restore`), `SecondFactorRequiredError` for one
        that needs a code as well (`by_code`), and `AccountSuspendedError`.
        """
        with counted(self._metrics, "password"):
            found, renewed, charge = await self._checks.verify(login, password, address=client.address)
            if found.deletion_due_at is not None:
                raise DeletionPendingError(charge, found.deletion_due_at)
            return await self.after_first_factor(found, charge, client=client, renewed=renewed)

    async def restore(self, login: str, password: str, *, client: Client) -> NewSession:
        """Undo the deletion of an account, and open a session.

        Raises what `by_password` raises, but `ConflictError` deletion_not_pending for an account that is not deleted.
        """
        with counted(self._metrics, "password"):
            found, renewed, charge = await self._checks.verify(login, password, address=client.address)
            if found.deletion_due_at is None:
                raise ConflictError("deletion_not_pending", "This account is not deleted. Sign in.")
            return await self.after_first_factor(found, charge, client=client, renewed=renewed, restore=True)

    async def by_code(self, challenge: str, code: str, *, client: Client) -> NewSession:
        """Finish a sign-in that needs a code, a one-time code or a recovery code.

        Raises `ChallengeError` if the challenge is not valid any more, `WrongCodeError`, `RateLimitedError` and
        `AccountSuspendedError`.
        """
        with counted(self._metrics, "code"):
            claimed = await self._challenges.open(challenge)
            found = await users.credentials_of(self._db, claimed.user_id)
            if found is None or not self._challenges.fits(claimed, found.password_hash):
                raise ChallengeError
            if claimed.restore is not (found.deletion_due_at is not None):
                raise ChallengeError
            charge = await self._factor.use(claimed.user_id, code, client=client)
            await self._challenges.close(claimed)
            return await self._open(found, charge, client=client, restore=claimed.restore)

    async def by_passkey(self, credential: dict[str, Any], *, client: Client) -> NewSession:
        """Open a session by a passkey.

        Raises `PasskeyError`, `RateLimitedError`, `DeletionPendingError`, `AccountSuspendedError`, and
        `SecondFactorRequiredError` if the account asks for a second factor and the authenticator was the only one.
        """
        with counted(self._metrics, "passkey"):
            charge = await self._checks.charge_address(client.address)
            verified = await self._passkeys.verify(credential)
            found = await users.credentials_of(self._db, verified.user_id)
            if found is None:
                raise PasskeyError("This passkey is not known here any more.")
            if found.deletion_due_at is not None:
                raise DeletionPendingError(charge, found.deletion_due_at)
            # Without a PIN or the like the passkey shows only that its device is at hand.
            proceed = self._open if verified.user_verified else self.after_first_factor
            return await proceed(found, charge, client=client)

    async def after_first_factor(
        self,
        found: Credentials,
        charge: Charge,
        *,
        client: Client,
        renewed: str | None = None,
        restore: bool = False,
    ) -> NewSession:
        """Open a session for a user whose password is right, or who was authenticated in an equal way.

        `renewed` is a password hash with other parameters. Raises `SecondFactorRequiredError` if the account asks for a
        code, and what `_open` raises.
        """
        if not found.second_factor:
            return await self._open(found, charge, client=client, renewed=renewed, restore=restore)
        if renewed is not None:
            # The password is known at this step alone, and the challenge has a digest of the hash.
            async with self._db.transaction() as tx:
                await users.replace_password_hash(tx, found.user.id, found.password_hash, renewed)
            found = found._replace(password_hash=renewed)
        raise SecondFactorRequiredError(charge, self._challenges.mint(found, restore=restore))

    async def _open(
        self,
        found: Credentials,
        charge: Charge,
        *,
        client: Client,
        renewed: str | None = None,
        restore: bool = False,
    ) -> NewSession:
        """Open a session for a user who is authenticated.

        Its transaction also stores a password hash with other parameters and undoes the deletion, and notifies the user
        of a device that is new. Raises `AccountSuspendedError`, and `WrongCredentialsError` for an account that was
        deleted meanwhile, or whose password was changed.
        """
        user = found.user
        if found.suspended:
            raise AccountSuspendedError(self._sessions.restricted_token(user))
        try:
            async with self._db.transaction() as tx:
                if restore:
                    user = await account_deletion.restore(tx, user.id)
                    tx.on_commit(lambda: at_once(self._visibility.align(user.id)))
                await self._notify_of_new_device(tx, user, client)
                tokens = await self._sessions.open(tx, user, client=client, password_hash=found.password_hash)
                if renewed is not None:
                    await users.replace_password_hash(tx, user.id, found.password_hash, renewed)
        except NotFoundError as error:
            raise WrongCredentialsError(charge) from error
        return NewSession(user=user, tokens=tokens, charge=charge)

    async def _notify_of_new_device(self, tx: Transaction, user: User, client: Client) -> None:
        """Notify the user unless the browser, or a program like this one in the same network, has signed in before."""
        if self._devices.knows(client.device_token, user.id):
            return
        earlier = await session_lists.clients(tx, user.id)
        own = (device_name(client.user_agent), client.device.network)
        # The first session of all is that of the registration, or of an account that an operator has created.
        if earlier and own not in {(device_name(agent), network) for agent, network in earlier}:
            security_notices.record(tx, user.id, SecurityEvent.NEW_SIGN_IN, device=client.name)
