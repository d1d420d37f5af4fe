"""Models of response bodies about push subscriptions."""

from __future__ import annotations

from yarl import URL

from server.edge.responses import Id, ResponseModel, Time
from storage.ids import encode
from storage.push import PushSubscription
from storage.render.timestamps import timestamp


class PushKeyResponse(ResponseModel):
    """The key with which browsers subscribe (`applicationServerKey`), in base64url; null if there are no messages."""

    key: str | None


class PushSubscriptionResponse(ResponseModel):
    """A subscription of the viewer; `service` is the host of its push service."""

    id: Id
    service: str
    hide_content: bool
    created_at: Time

    @classmethod
    def from_model(cls, subscription: PushSubscription) -> PushSubscriptionResponse:
        """Return the response for a subscription; endpoint and keys stay secret."""
        return cls(
            id=encode(subscription.id),
            service=URL(subscription.endpoint).raw_host or "",
            hide_content=subscription.hide_content,
            created_at=timestamp(subscription.created_at),
        )
