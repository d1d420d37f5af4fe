"""Events of subscriptions: one event is projected through a compiled selection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import strawberry

from server.graphql.executor import Executor
from server.graphql.fields import ResolverContext, Results, batch, leaf


async def _authors(comments: Sequence[dict[str, Any]], _context: ResolverContext) -> Results[str]:
    return [f"user {comment['author_id']}" for comment in comments]


async def _of_photo(events: Sequence[dict[str, Any]], _context: ResolverContext, id: str) -> Results[Any]:  # noqa: A002
    return [{**event, "id": f"{id}/{event['number']}"} for event in events]


@strawberry.type
class Comment:
    id: strawberry.ID
    author: str = batch(_authors)


@strawberry.type
class Query:
    nothing: str


@strawberry.type
class Subscription:
    comment: Comment = leaf(key="event")
    comment_on: Comment = batch(_of_photo)


EXECUTOR = Executor(strawberry.Schema(Query, subscription=Subscription))


async def test_a_root_field_is_read_from_the_event() -> None:
    """Each event is one response, with what the subscriber selected."""
    prepared = EXECUTOR.prepare("subscription { added: comment { author id } }")
    events = [{"event": {"id": f"C-{number}", "author_id": number}} for number in range(2)]
    responses = [await EXECUTOR.project(prepared, event, ResolverContext()) for event in events]
    assert responses == [{"data": {"added": {"author": f"user {n}", "id": f"C-{n}"}}} for n in range(2)]


async def test_a_root_field_with_arguments_is_resolved_for_the_event() -> None:
    """The resolver of the root field gets the event as its parent, and the arguments of the subscription."""
    prepared = EXECUTOR.prepare("subscription($id: String!) { commentOn(id: $id) { id } }", {"id": "P-1"})
    response = await EXECUTOR.project(prepared, {"number": 3}, ResolverContext())
    assert response == {"data": {"commentOn": {"id": "P-1/3"}}}


async def test_an_error_is_in_the_response_of_its_event() -> None:
    """An event that lacks what cannot be null has an error, and no data."""
    prepared = EXECUTOR.prepare("subscription { comment { id } }")
    response = await EXECUTOR.project(prepared, {"event": {"id": None}}, ResolverContext())
    assert response["data"] is None
    assert response["errors"][0]["path"] == ["comment", "id"]
