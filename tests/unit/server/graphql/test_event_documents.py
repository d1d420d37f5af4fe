"""Documents of subscriptions: their channel and position, what they may select, and what a publication becomes."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
import pytest

from channels.contract.errors import OperationRefusedError
from channels.contract.ports import GraphqlSubscription, Position
from server.composition.graphql import make_schema
from server.graphql.executor import Executor
from server.graphql.subscriptions.documents import SubscriptionDocuments

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


@cache
def documents() -> SubscriptionDocuments:
    """Return the documents of the product's schema."""
    return SubscriptionDocuments(Executor(make_schema()), lambda request: (request.text or "", False))


async def prepared(query: str, **variables: Any) -> GraphqlSubscription:
    """Return a checked subscription."""
    return await documents().subscription({"query": query, "variables": variables})


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
