"""Subscribe browsers and apps to push messages, and end subscriptions."""

from __future__ import annotations

from storage.errors import ConflictError
from storage.postgres.database import Database
from storage.push import AppPush, PushPolicy, PushSubscription
from storage.stores.notifications import push_subscriptions
from workers.outbound.errors import UrlRefusedError
from workers.outbound.urls import check_url
from workers.web_push.settings import PushSettings

QUOTA = "writes"


class PushActions:
    """The viewer's push subscriptions; with `settings` None, this installation sends no push messages."""

    def __init__(self, db: Database, settings: PushSettings | None) -> None:
        self._db = db
        self._settings = settings

    @property
    def public_key(self) -> str | None:
        """Return the key with which browsers subscribe, in base64url; None if no messages are sent."""
        return None if self._settings is None else self._settings.key.public

    async def subscribe(
        self, viewer_id: int, session: str, *, endpoint: str, p256dh: bytes, auth: bytes, hide_content: bool | None
    ) -> PushSubscription:
        """Store the subscription of the viewer's session; another endpoint replaces the one that it had.

        The keys are valid (`workers.web_push.keys`); `hide_content` None keeps what it had. Raises `UrlRefusedError`
        for an endpoint to which no message would be sent, `ConflictError` push_off, and `NotFoundError("user")` once
        the session has ended.
        """
        self._check(endpoint)
        async with self._db.transaction() as tx:
            return await push_subscriptions.subscribe(
                tx,
                user_id=viewer_id,
                session_id=session,
                endpoint=endpoint,
                p256dh=p256dh,
                auth=auth,
                hide_content=hide_content,
            )

    async def subscribe_app(
        self,
        viewer_id: int,
        session: str,
        *,
        token: str,
        endpoint: str,
        p256dh: bytes,
        auth: bytes,
        alerts: frozenset[str],
        policy: PushPolicy,
        legacy: bool,
    ) -> PushSubscription:
        """Store the subscription of an app with Mastodon's interface, as `subscribe` does for a browser.

        Messages contain `token`, that of the session, which is stored encrypted.
        """
        settings = self._check(endpoint)
        async with self._db.transaction() as tx:
            made = await push_subscriptions.subscribe(
                tx,
                user_id=viewer_id,
                session_id=session,
                endpoint=endpoint,
                p256dh=p256dh,
                auth=auth,
                hide_content=False,
            )
            encrypted = settings.token_cipher.encrypt(token, made.id)
            app = AppPush(token=encrypted, alerts=alerts, policy=policy, legacy=legacy)
            return await push_subscriptions.make_app(tx, made, app)

    async def change_app(
        self, viewer_id: int, session: str, *, alerts: frozenset[str], policy: PushPolicy
    ) -> PushSubscription:
        """Change which messages the app of a session gets; raise `NotFoundError("subscription")`."""
        async with self._db.transaction() as tx:
            return await push_subscriptions.change_app(tx, viewer_id, session, alerts=alerts, policy=policy)

    async def unsubscribe_app(self, viewer_id: int, session: str) -> None:
        """Delete the subscription of the app of a session, if it has one."""
        async with self._db.transaction() as tx:
            await push_subscriptions.delete_of_session(tx, viewer_id, session)

    async def unsubscribe(self, viewer_id: int, subscription_id: int) -> None:
        """Delete a subscription of the viewer; raise `NotFoundError("subscription")`."""
        async with self._db.transaction() as tx:
            await push_subscriptions.delete(tx, subscription_id, user_id=viewer_id)

    def _check(self, endpoint: str) -> PushSettings:
        """Return the settings; raise `ConflictError` without them, and `UrlRefusedError` for an endpoint."""
        if self._settings is None:
            raise ConflictError("push_off", "This installation sends no push messages.")
        # Its name is looked up when a message is sent: the names that the list has are those of push services.
        url = check_url(endpoint, self._settings.policy)
        # As it is in the URL: not every name of the form xn--… is one that can be decoded.
        if self._settings.hosts.match(url.raw_host or "") is None:
            raise UrlRefusedError(
                f"{url.raw_host} is not one of the push services to which this installation sends messages."
            )
        return self._settings
