"""Models of the bodies and queries about webhooks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from server.edge.moments import Moment
from server.edge.requests import ListQuery, RequestModel
from storage import texts
from storage.webhooks import EndpointScope
from workers.webhooks.payloads import EventType
from workers.webhooks.signing import Scheme

_OnlyFailed = Annotated[Literal["failed"], WithJsonSchema({"type": "string", "enum": ["failed"]})]


def _each_once(types: list[EventType]) -> list[EventType]:
    return list(dict.fromkeys(types))


WebhookUrl = Annotated[str, Field(min_length=1, max_length=2048, examples=["https://example.com/hooks/picshare"])]
Description = Annotated[str, Field(max_length=200), AfterValidator(texts.single_line)]
EventTypes = Annotated[list[EventType], Field(max_length=100), AfterValidator(_each_once)]


class WebhookCreate(RequestModel):
    """A new webhook; without `types` it gets events of all types.

    With `ordered`, messages about a photo or follower are sent one after the other, in the order of the events. The
    scope `all` is for administrators: the events of all users. With `moderation`, which needs that scope, messages
    about photos have what a service decides by, and its response may have the verdict.
    """

    url: WebhookUrl
    description: Description = ""
    types: EventTypes = Field(default_factory=list)
    scope: EndpointScope = EndpointScope.OWN
    ordered: bool = False
    moderation: bool = False
    signing: Scheme = Scheme.HMAC


class WebhookUpdate(RequestModel):
    """Changes of a webhook; fields that are left out stay unchanged. With another `url` it is verified again.

    While it is `paused`, events are kept for it.
    """

    url: WebhookUrl | None = None
    description: Description | None = None
    types: EventTypes | None = None
    ordered: bool | None = None
    moderation: bool | None = None
    state: Literal["active", "paused"] | None = None


class WebhookSecretCreate(RequestModel):
    """A new secret; without `signing` it signs as the present one does."""

    signing: Scheme | None = None


class WebhookReplay(RequestModel):
    """Which messages are sent again: those of events since a time, and with `only` those that have failed.

    Without `since` it is all that are kept.
    """

    since: Moment | None = None
    only: Literal["failed"] | None = None

    @property
    def failed_only(self) -> bool:
        """Return whether messages that were delivered are left out."""
        return self.only is not None


class AttemptsQuery(ListQuery):
    """A page of the attempts at a webhook; with `only` those that have failed."""

    only: _OnlyFailed | None = None
