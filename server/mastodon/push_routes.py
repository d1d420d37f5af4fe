"""`/api/v1/push/subscription`: an app subscribes to push messages, once for each token."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web
from pydantic import BeforeValidator, Field

from server.actions.push import QUOTA, PushActions
from server.edge.problem import ProblemError, bad_field
from server.edge.requests import QueryModel
from server.mastodon.accounts import Entity
from server.mastodon.endpoint import Route, route
from server.mastodon.request import MastodonRequest, respond
from storage.postgres.database import Queryable
from storage.push import PushPolicy, PushSubscription
from storage.stores.notifications import push_subscriptions
from workers.outbound.errors import UrlRefusedError
from workers.web_push.keys import parse_auth, parse_browser_key

# Of Mastodon; what PicShare does not have is kept, so that an app finds its choice again.
ALERTS = (
    "mention",
    "status",
    "reblog",
    "follow",
    "follow_request",
    "favourite",
    "poll",
    "update",
    "quote",
    "quoted_update",
    "admin.sign_up",
    "admin.report",
)
_PATH, _SCOPE = "/api/v1/push/subscription", "push"
# Ids of subscriptions are in no path. Some apps read them as numbers of 32 bits with a sign.
_ID_BITS = 31
_MAX_KEY = 120  # characters
_TO_BASE64URL = str.maketrans("+/", "-_")


def _point(text: str) -> bytes:
    return parse_browser_key(text.translate(_TO_BASE64URL))


def _auth(text: str) -> bytes:
    return parse_auth(text.translate(_TO_BASE64URL))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _MAX_KEY:
        raise ValueError("it should be a text in base64")
    return value


class Keys(QueryModel):
    """The keys of an app in base64, of either alphabet: its public key, 65 bytes, and a secret, 16 bytes."""

    p256dh: Annotated[bytes, BeforeValidator(lambda value: _point(_text(value)))]
    auth: Annotated[bytes, BeforeValidator(lambda value: _auth(_text(value)))]


class Subscription(QueryModel):
    """An address at a push service; `standard` asks for the encoding aes128gcm in place of aesgcm."""

    endpoint: Annotated[str, Field(min_length=1, max_length=2048)]
    keys: Keys
    standard: bool = False


class Data(QueryModel):
    """The kinds that an app wants, by their names."""

    alerts: Annotated[dict[str, bool], Field(max_length=50)] = Field(default={})
    policy: PushPolicy | None = None


class ChangeForm(QueryModel):
    """What an app wants messages about; libraries have the policy in either place."""

    data: Data = Data()
    policy: PushPolicy | None = None

    @property
    def chosen_policy(self) -> PushPolicy:
        """Return the policy, by default that all acts are pushed."""
        return self.data.policy or self.policy or PushPolicy.ALL

    @property
    def chosen_alerts(self) -> frozenset[str]:
        """Return the kinds that are wanted."""
        return frozenset(name for name in ALERTS if self.data.alerts.get(name))


class SubscribeForm(ChangeForm):
    """A subscription, and what the app wants messages about."""

    subscription: Subscription


class PushRoutes:
    """The push subscription of an app."""

    def __init__(self, db: Queryable, actions: PushActions) -> None:
        self._db = db
        self._actions = actions

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            route("GET", _PATH, self.read, _SCOPE),
            route("POST", _PATH, self.subscribe, _SCOPE, quota=QUOTA, stores=True),
            route("PUT", _PATH, self.change, _SCOPE, quota=QUOTA),
            route("DELETE", _PATH, self.unsubscribe, _SCOPE, quota=QUOTA),
        ]

    async def read(self, request: MastodonRequest) -> web.Response:
        """Return the subscription of the app."""
        viewer = request.viewer
        return respond(self._entity(await push_subscriptions.of_app(self._db, viewer.user_id, viewer.session)))

    async def subscribe(self, request: MastodonRequest) -> web.Response:
        """Subscribe the app, in place of the subscription that it had."""
        form, viewer = await request.form(SubscribeForm), request.viewer
        token = request.http.headers.get("Authorization", "").partition(" ")[2].strip()
        # The token of a session changes every few minutes, and is not for apps.
        if viewer.scopes is None or not token:
            raise ProblemError(422, "invalid_input", "Subscribe with the token of an app.")
        try:
            made = await self._actions.subscribe_app(
                viewer.user_id,
                viewer.session,
                token=token,
                endpoint=form.subscription.endpoint,
                p256dh=form.subscription.keys.p256dh,
                auth=form.subscription.keys.auth,
                alerts=form.chosen_alerts,
                policy=form.chosen_policy,
                legacy=not form.subscription.standard,
            )
        except UrlRefusedError as error:
            raise bad_field("subscription.endpoint", str(error), status=422) from error
        return respond(self._entity(made))

    async def change(self, request: MastodonRequest) -> web.Response:
        """Change what the app wants messages about; what the request leaves out is not wanted."""
        form, viewer = await request.form(ChangeForm), request.viewer
        changed = await self._actions.change_app(
            viewer.user_id, viewer.session, alerts=form.chosen_alerts, policy=form.chosen_policy
        )
        return respond(self._entity(changed))

    async def unsubscribe(self, request: MastodonRequest) -> web.Response:
        """End the subscription of the app, if it has one."""
        await self._actions.unsubscribe_app(request.viewer.user_id, request.viewer.session)
        return respond({})

    def _entity(self, subscription: PushSubscription) -> Entity:
        app = subscription.app
        return {
            "id": subscription.id % 2**_ID_BITS,
            "endpoint": subscription.endpoint,
            "standard": app is not None and not app.legacy,
            "alerts": {name: app is not None and name in app.alerts for name in ALERTS},
            "policy": PushPolicy.ALL if app is None else app.policy,
            "server_key": self._actions.public_key or "",
        }
