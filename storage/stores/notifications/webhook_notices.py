"""What notifications of failing and disabled webhooks say, read from the webhooks when an inbox is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from locales.sentences import Sentence, marked
from storage.notifications import NotificationKind
from storage.postgres.database import Queryable
from storage.stores.notifications.notification_text import excerpt_of
from storage.stores.webhooks import webhook_endpoints
from storage.webhooks import Endpoint

KINDS = (NotificationKind.WEBHOOK_FAILING, NotificationKind.WEBHOOK_DISABLED)

_SENTENCES = {
    NotificationKind.WEBHOOK_FAILING: marked("Your webhook “{name}” is failing"),
    NotificationKind.WEBHOOK_DISABLED: marked("Your webhook “{name}” was disabled"),
}


class WebhookNotice(NamedTuple):
    """The text of an entry, and the webhook that it is about."""

    text: str
    webhook_id: int


async def read(
    db: Queryable, owner_id: int, subjects: Iterable[tuple[NotificationKind, int]]
) -> Mapping[tuple[NotificationKind, int], WebhookNotice]:
    """Return the notices about an account's webhooks, by kind and id; deleted webhooks are left out."""
    # An account has a few at most.
    endpoints = {endpoint.id: endpoint for endpoint in await webhook_endpoints.of_owner(db, owner_id)}
    return {
        (kind, endpoint_id): _notice(kind, endpoints[endpoint_id])
        for kind, endpoint_id in subjects
        if endpoint_id in endpoints
    }


def _notice(kind: NotificationKind, endpoint: Endpoint) -> WebhookNotice:
    return WebhookNotice(Sentence.made(_SENTENCES[kind], None, {"name": _name(endpoint)}), endpoint.id)


def _name(endpoint: Endpoint) -> str:
    # The path of a URL may hold a secret of the receiver, which is not for the screen of a phone.
    return excerpt_of(endpoint.description) or urlsplit(endpoint.url).hostname or endpoint.url
