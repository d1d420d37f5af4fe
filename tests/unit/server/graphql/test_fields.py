"""The contract of fields, with a schema of photos whose resolvers record their calls."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry

from server.graphql.execution import READS_TOGETHER
from server.graphql.executor import Executor
from server.graphql.fields import ResolverContext, Results, batch, leaf, root


class Context(ResolverContext):
    """A context that records the calls of resolvers."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, int]] = []


async def _authors(photos: Sequence[dict[str, Any]], context: Context) -> Results[dict[str, Any]]:
    context.calls.append(("authors", len(photos)))
    return [
        LookupError("gone") if photo["author_id"] == 3 else {"user_name": f"u{photo['author_id']}"} for photo in photos
    ]


async def _photos(context: Context, first: int = 20) -> list[dict[str, Any]]:
    context.calls.append(("photos", 1))
    return [{"id": str(number), "text": f"caption {number}", "author_id": number} for number in range(first)]


def _sizes(photos: Sequence[dict[str, Any]], _context: Context, *, scale: int) -> Results[int]:
    return [scale * photo["author_id"] for photo in photos]


@strawberry.type
class Author:
    user_name: str


@strawberry.type
class Photo:
    id: strawberry.ID
    caption: str = leaf(key="text")
    author: Author | None = batch(_authors)
    size: int = batch(_sizes)


@strawberry.type
class Query:
    photos: list[Photo] = root(_photos)


EXECUTOR = Executor(strawberry.Schema(Query))


async def test_a_batch_field_is_resolved_once_for_a_list() -> None:
    """The resolver of a field is called once with all the parents of a list, and each gets its own result."""
    context = Context()
    response = await EXECUTOR.execute("{ photos(first: 3) { caption author { userName } } }", context)
    assert response == {
        "data": {
            "photos": [{"caption": f"caption {number}", "author": {"userName": f"u{number}"}} for number in range(3)]
        }
    }
    assert context.calls == [("photos", 1), ("authors", 3)]


async def test_a_result_that_is_an_exception_is_the_error_of_one_parent() -> None:
    """The other parents keep their results, and the error has the path of the one."""
    response = await EXECUTOR.execute("{ photos(first: 4) { author { userName } } }", Context())
    assert [photo["author"] is None for photo in response["data"]["photos"]] == [False, False, False, True]
    assert [error["path"] for error in response["errors"]] == [["photos", 3, "author"]]


async def test_arguments_and_a_resolver_without_io() -> None:
    """A resolver may be an ordinary function, and takes the field's arguments by name."""
    response = await EXECUTOR.execute("query($n: Int!) { photos(first: 3) { size(scale: $n) } }", Context(), {"n": 10})
    assert response == {"data": {"photos": [{"size": 0}, {"size": 10}, {"size": 20}]}}


async def test_an_operation_has_few_reads_at_a_time() -> None:
    """However many fields it has, so that one request does not take all connections to the database."""

    @dataclass
    class Reads(ResolverContext):
        running: int = 0
        most: int = 0

        def __post_init__(self) -> None:
            super().__init__()

    async def slow(context: Reads, number: int) -> int:
        context.running += 1
        context.most = max(context.most, context.running)
        for _ in range(3):
            await asyncio.sleep(0)
        context.running -= 1
        return number

    query = strawberry.type(type("Query", (), {"__annotations__": {"slow": int}, "slow": root(slow)}))
    executor, context = Executor(strawberry.Schema(query)), Reads()
    response = await executor.execute("{" + " ".join(f"a{n}: slow(number: {n})" for n in range(20)) + "}", context)
    assert response["data"] == {f"a{number}": number for number in range(20)}
    assert context.most == READS_TOGETHER


async def test_reads_that_did_not_begin_end_with_their_request() -> None:
    """A client that leaves does not cause warnings about them."""

    async def never(_context: ResolverContext, number: int) -> int:
        await asyncio.Event().wait()
        return number

    query = strawberry.type(type("Query", (), {"__annotations__": {"never": int}, "never": root(never)}))
    executor = Executor(strawberry.Schema(query))
    document = "{" + " ".join(f"a{n}: never(number: {n})" for n in range(9)) + "}"
    running = asyncio.create_task(executor.execute(document, ResolverContext()))
    for _ in range(3):
        await asyncio.sleep(0)
    running.cancel()
    with warnings.catch_warnings(record=True) as caught, pytest.raises(asyncio.CancelledError):
        await running
    gc.collect()
    assert [str(each.message) for each in caught] == []
