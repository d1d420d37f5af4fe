"""What an operation is charged, and when: before it is executed, or by its first field together with its read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest
import strawberry

from server.composition.graphql import make_schema
from server.edge.api_request import ApiRequest
from server.edge.problem import bad_field
from server.graphql.executor import Executor
from server.graphql.fields import ResolverContext, Results, batch, root
from server.graphql.handlers import GraphqlHandlers, GraphqlServices
from server.identity.errors import SessionRevokedError

REVOKED, WRONG = -1, -2


class Scene(ResolverContext):
    """A viewer whose feed charges, and everything that happened, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[str, int]] = []

    async def charge(self, _request: ApiRequest, _quota: str, *, cost: int = 1, locally: bool = False) -> None:
        """Record a charge of its own."""
        assert locally
        self.events.append(("charge", cost))


async def _viewer(_context: ResolverContext) -> dict[str, Any]:
    return {}


async def _feed(parents: Sequence[Any], context: Scene, first: int = 20) -> Results[list[dict[str, Any]]]:
    if first == WRONG:
        raise bad_field("first", "wrong")
    with context.due.taken() as units:
        context.events.append(("feed", units))
        if first == REVOKED:
            raise SessionRevokedError
    return [[{"id": "P-1"}] for _ in parents]


async def _counters(parents: Sequence[Any], context: Scene) -> Results[int]:
    context.events.append(("counters", 0))
    return [1 for _ in parents]


@strawberry.type
class Photo:
    """A photo."""

    id: strawberry.ID


@strawberry.type
class Viewer:
    """The viewer."""

    feed: list[Photo] | None = batch(_feed, charges=True)
    counters: int | None = batch(_counters)


@strawberry.type
class Query:
    """Queries."""

    viewer: Viewer | None = root(_viewer)


@strawberry.type
class Subscription:
    """Subscriptions."""

    @strawberry.subscription
    async def photos(self) -> AsyncIterator[str]:
        """Return nothing: what is sent over HTTP is refused before."""
        yield ""


EXECUTOR = Executor(strawberry.Schema(Query, subscription=Subscription))


async def _respond(scene: Scene, text: str) -> dict[str, Any]:
    """Return the response to a document that was checked before."""
    EXECUTOR.documents.check(text, EXECUTOR.limits)
    handlers = GraphqlHandlers(GraphqlServices(executor=EXECUTOR, new_context=lambda _: scene, charger=scene))

    async def json() -> dict[str, Any]:
        return {"query": text}

    request = SimpleNamespace(json=json, viewer_id=7, http=SimpleNamespace(method="POST", headers={}))
    response = await handlers.post(cast(ApiRequest, request))
    return cast(dict[str, Any], orjson.loads(cast(Any, response).body))


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("{ viewer { feed(first: 60) { id } } }", [("feed", 4)]),
        ("{ viewer { __typename news: feed(first: 60) { id } } }", [("feed", 4)]),
        ("{ viewer { counters } }", [("charge", 1), ("counters", 0)]),
        ("{ viewer { feed { id } counters } }", [("charge", 2), ("feed", 0), ("counters", 0)]),
        ("{ viewer { feed { id } } second: viewer { counters } }", [("charge", 2), ("counters", 0), ("feed", 0)]),
    ],
)
async def test_the_first_read_charges(text: str, events: list[tuple[str, int]]) -> None:
    """A field that charges does so where nothing is read before or with it; everything else is charged before."""
    scene = Scene()
    assert "errors" not in await _respond(scene, text)
    assert sorted(scene.events) == sorted(events)
    assert scene.events[0] == events[0]


async def test_an_error_before_the_charge() -> None:
    """An operation whose first field fails before it charges is charged afterwards."""
    scene = Scene()
    response = await _respond(scene, f"{{ viewer {{ feed(first: {WRONG}) {{ id }} }} }}")
    assert response["data"] == {"viewer": {"feed": None}}
    assert scene.events == [("charge", 1)]


async def test_a_refused_charge() -> None:
    """The refusal of a charge is that of the request, as if it had been charged before."""
    with pytest.raises(SessionRevokedError):
        await _respond(Scene(), f"{{ viewer {{ feed(first: {REVOKED}) {{ id }} }} }}")


def test_the_home_feed_charges() -> None:
    """The page of the feed, which applications ask for most, is one round trip."""
    executor = Executor(make_schema())
    alone = "{ viewer { feed { nodes { id author { username } } pageInfo { endCursor } } } }"
    assert executor.prepare(alone).plan.charges
    assert not executor.prepare("{ viewer { feed { nodes { id } } counters { __typename } } }").plan.charges


async def test_a_subscription_in_a_plain_post() -> None:
    """The refusal says how subscriptions are sent."""
    response = await _respond(Scene(), "subscription { photos }")
    (error,) = response["errors"]
    assert error["extensions"]["code"] == "subscription_refused"
    assert "graphql-transport-ws" in error["message"]
    assert "text/event-stream" in error["message"]
