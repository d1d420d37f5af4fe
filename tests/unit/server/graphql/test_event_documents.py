"""Documents of subscriptions: their channel and position, what they may select, and what a publication becomes."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import orjson
import pytest

from channels.contract.errors import OperationRefusedError
from channels.contract.ports import GraphqlSubscription, Identity, Position
from server.composition.graphql import make_schema
from server.graphql.charging import CHECKED_BYTES
from server.graphql.executor import Executor
from server.graphql.subscriptions.documents import ChargeUser, SubscriptionDocuments
from server.identity.errors import RateLimitedError
from server.identity.rate_limits import Charge
from storage.limits.quotas import Quota, QuotaPolicy

USER = {"id": "01K3S9C0XG4Q7", "username": "ada", "display_name": "Ada", "avatar_url": None}
PHOTO = {"id": "03AM", "author": USER, "caption": "Sea", "likes": 3, "liked": False}
FEED = """
subscription ($since: StreamPositionInput) {
  feed(since: $since) {
    ... on PhotoAdded { photo { id caption likeCount author { id username } } }
    ... on PhotoRemoved { photoId }
    ... on UserChanged { user { displayName } bannerUrl }
  }
}
"""


IDENTITY = Identity(user_id=7, session="s", expires_at=1e12)


async def _free(_identity: Identity, _units: int) -> None:
    """Charge nothing."""


@cache
def executor() -> Executor:
    """Return the executor of the product's schema."""
    return Executor(make_schema())


def documents(charge: ChargeUser = _free) -> SubscriptionDocuments:
    """Return the documents of the product's schema."""
    return SubscriptionDocuments(executor(), lambda request: (request.text or "", False), charge)


DOCUMENTS = documents()


async def prepared(query: str, **variables: Any) -> GraphqlSubscription:
    """Return a checked subscription."""
    return await DOCUMENTS.subscription({"query": query, "variables": variables}, IDENTITY)


async def refusal(query: str, **variables: Any) -> dict[str, Any]:
    """Return the first error of a refused document."""
    with pytest.raises(OperationRefusedError) as caught:
        await prepared(query, **variables)
    first: dict[str, Any] = orjson.loads(caught.value.entries)[0]
    return first


def projected(found: GraphqlSubscription, publication: dict[str, Any]) -> Any:
    """Return the response for a publication."""
    response = found.projection.project(orjson.dumps(publication))
    return None if response is None else orjson.loads(response)


async def test_a_publication_becomes_what_was_selected() -> None:
    """By the type of its event; types that the subscription does not know are no events."""
    feed = await prepared(FEED)
    photo = {"id": "P-03AM", "caption": "Sea", "likeCount": 3, "author": {"id": "U-01K3S9C0XG4Q7", "username": "ada"}}
    assert projected(feed, {"type": "photo.new", "photo": PHOTO}) == {"data": {"feed": {"photo": photo}}}
    assert projected(feed, {"type": "photo.removed", "photo_id": "03AM"}) == {"data": {"feed": {"photoId": "P-03AM"}}}
    changed = {"type": "user.changed", "user": USER | {"banner_url": "/b"}}
    assert projected(feed, changed)["data"]["feed"] == {"user": {"displayName": "Ada"}, "bannerUrl": "/b"}
    assert projected(feed, {"type": "something.new"}) is None


async def test_the_same_selection_is_one_projection() -> None:
    """Whatever the position is from which each client continues."""
    first = await prepared(FEED)
    second = await prepared(FEED, since={"epoch": "e", "offset": 5})
    assert second.projection is first.projection
    assert (first.since, second.since) == (None, Position(epoch="e", offset=5))
    assert (await prepared("subscription { feed { __typename } }")).projection is not first.projection


@pytest.mark.parametrize(
    ("field", "channel"),
    [
        ("notifications", "notifications"),
        ('photo(id: "P-01K3S9C0XG4Q7")', "photo:01K3S9C0XG4Q7"),
        ('user(id: "U-01K3S9C0XG4Q7")', "user:01K3S9C0XG4Q7"),
        ('presence(id: "U-01K3S9C0XG4Q7")', "presence:01K3S9C0XG4Q7"),
    ],
)
async def test_each_field_is_a_channel(field: str, channel: str) -> None:
    """With the permissions of that channel."""
    assert (await prepared(f"subscription {{ {field} {{ __typename }} }}")).channel == channel


async def test_a_presence_begins_with_its_state() -> None:
    """The state lacks the type and the user of a publication."""
    found = await prepared(
        'subscription { presence(id: "U-01K3S9C0XG4Q7") { ... on PresenceChanged { userId online lastSeen } } }'
    )
    expected = {"userId": "U-01K3S9C0XG4Q7", "online": True, "lastSeen": None}
    assert projected(found, {"online": True}) == {"data": {"presence": expected}}


async def test_a_notification_has_the_counters() -> None:
    """With the ids of what it is about, since the objects themselves would have to be read."""
    found = await prepared(
        "subscription { notifications { ... on NotificationAdded {"
        " photoId commentId notification { id actors { username } } counters { unseen kinds { kind unread } } } } }"
    )
    notification = {"id": "03", "actors": [USER], "photo_id": "04", "comment": None}
    counters = {"unseen": 1, "unread": 1, "kinds": {"like": {"unseen": 1, "unread": 1}}}
    response = projected(found, {"type": "notification", "notification": notification, "counters": counters})
    assert response["data"]["notifications"] == {
        "photoId": "P-04",
        "commentId": None,
        "notification": {"id": "N-03", "actors": [{"username": "ada"}]},
        "counters": {"unseen": 1, "kinds": [{"kind": "LIKE", "unread": 1}]},
    }


@pytest.mark.parametrize(
    ("query", "code", "part"),
    [
        ("subscription { feed { ... on PhotoAdded { photo { saved } } } }", "not_in_event", "saved"),
        ("subscription { feed { ... on PhotoAdded { photo { author { bio } } } } }", "not_in_event", "bio"),
        ("subscription { feed { ... on PhotoAdded { photo { likes { nodes { id } } } } } }", "not_in_event", "likes"),
        ("{ viewer { __typename } }", "not_a_subscription", "POST /graphql"),
        ("subscription { feed { nothing } }", "validation_failed", "nothing"),
        ("subscription { feed { __typename } notifications { __typename } }", "validation_failed", "one"),
        ('subscription { photo(id: "U-01K3S9C0XG4Q7") { __typename } }', "invalid_parameter", "a photo"),
        ("subscription { __typename }", "validation_failed", "introspection"),
        ('subscription { feed(since: {epoch: "e", offset: -1}) { __typename } }', "invalid_parameter", "0 or more"),
        ('subscription { feed(since: {epoch: "e", offset: "x"}) { __typename } }', "invalid_parameter", "whole"),
        ("subscription {", "parse_failed", ""),
    ],
)
async def test_what_cannot_be_subscribed_to_is_refused(query: str, code: str, part: str) -> None:
    """Before anything is subscribed, with an error that says what is wrong."""
    error = await refusal(query)
    assert error["extensions"]["code"] == code
    assert part in error["message"]


async def test_the_check_and_the_cost_of_a_subscription_are_charged_to_its_user() -> None:
    """An unknown document pays for its check by its length, a known one once for each 20 of its cost."""
    charged: list[tuple[int, int]] = []

    async def charge(identity: Identity, units: int) -> None:
        charged.append((identity.user_id, units))

    request = {"query": FEED + " # charged to its user"}
    for _ in range(2):
        await documents(charge).subscription(request, IDENTITY)
    assert charged == [(7, math.ceil(len(request["query"]) / CHECKED_BYTES)), (7, 1)]


async def test_a_refused_subscription_is_charged_too() -> None:
    """Otherwise unknown documents, of which each is sent once, would be free."""
    charged: list[int] = []

    async def charge(_identity: Identity, units: int) -> None:
        charged.append(units)

    for query in ("subscription { nothing }", "{ viewer { id } }"):
        with pytest.raises(OperationRefusedError):
            await documents(charge).subscription({"query": query}, IDENTITY)
    assert charged == [1, 1]


async def test_a_used_up_rate_limit_refuses_the_subscription() -> None:
    """The operation ends with the error of the REST API; the connection stays."""

    async def charge(_identity: Identity, _units: int) -> None:
        policy = QuotaPolicy(name="reads", limit=1, window_seconds=60)
        quota = Quota(allowed=False, limit=1, remaining=0, reset_after=9, retry_after=3)
        raise RateLimitedError(Charge(policy=policy, quota=quota))

    with pytest.raises(OperationRefusedError) as caught:
        await documents(charge).subscription({"query": FEED}, IDENTITY)
    (entry,) = orjson.loads(caught.value.entries)
    assert entry["extensions"] == {"code": "too_many_requests", "status": 429}
