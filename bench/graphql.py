"""Processor time of GraphQL: the executor alone, and a page of 20 photos over GraphQL against the same over REST.

The yardstick of the executor is what it cannot do without: the same values in new dicts, and orjson. The library's own
executor, on a document that it has parsed and validated before, shows what compiling saves.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import strawberry
from graphql import ExecutionResult, execute, parse

from bench import graphql_events
from bench.cores import assign_cores
from bench.edge import process_seconds
from bench.feed import FeedServer, feed_server
from bench.feed_community import ONE_AUTHOR
from bench.http_load import request_rate
from bench.report import RATIO, Figure, figure, ratios
from server.graphql.executor import Executor
from server.graphql.fields import ResolverContext, Results, batch, root
from server.graphql.manifest import digest_of

GROUP = "GraphQL: 20 photos with 22 fields each, without I/O"
PAGE_GROUP = "GraphQL: a page of 20 photos, processor time of the server"
PHOTOS = 20
CONNECTIONS = 16
REST = "/api/v1/feed?limit=20"
FEED = """query Feed { viewer { feed(first: 20) {
  nodes {
    id audience sensitive caption altText tags location createdAt editedAt width height placeholder likeCount
    commentCount liked urls { thumb feed original } author { id username displayName avatarUrl }
  }
  pageInfo { hasNextPage endCursor }
} } }"""
_TEXTS = ("id", "caption", "created_at", "visibility", "alt", "thumbhash", "place", "license")
_NUMBERS = ("likes", "comments", "saves", "views", "width", "height")


def _photo(number: int) -> dict[str, Any]:
    return {
        **{name: f"{name} {number}" for name in _TEXTS},
        **dict.fromkeys(_NUMBERS, number),
        "liked": number % 2 == 0,
        "tags": ["sea", "sky"],
        "author": {"id": f"U-{number}", "username": f"ada{number}", "name": "Ada"},
        "urls": {"small": f"/media/{number}/320.avif", "large": f"/media/{number}/1080.avif"},
    }


_PAGE = [_photo(number) for number in range(PHOTOS)]


@strawberry.type
class Author:
    """An author."""

    id: strawberry.ID
    username: str
    name: str


@strawberry.type
class Urls:
    """Addresses of images."""

    small: str
    large: str


async def _authors(photos: Sequence[dict[str, Any]], _context: ResolverContext) -> Results[dict[str, Any]]:
    return [photo["author"] for photo in photos]


@strawberry.type
class Photo:
    """A photo."""

    id: strawberry.ID
    caption: str
    created_at: str
    visibility: str
    alt: str | None
    thumbhash: str
    place: str | None
    license: str
    likes: int
    comments: int
    saves: int
    views: int
    width: int
    height: int
    liked: bool
    tags: list[str]
    author: Author = batch(_authors)
    urls: Urls


async def _photos(_context: ResolverContext) -> list[dict[str, Any]]:
    return _PAGE


@strawberry.type
class Query:
    """Queries."""

    photos: list[Photo] = root(_photos)


DOCUMENT = """{ photos {
  id caption createdAt visibility alt thumbhash place license likes comments saves views width height liked tags
  author { id username name } urls { small large }
} }"""


async def measure(*, quick: bool) -> list[Figure]:
    """Return the microseconds of a page and of an event by each way, and the ratios."""
    events = await graphql_events.measure(quick=quick)
    return [*await _without_io(quick=quick), *events, *await _of_pages(quick=quick)]


async def _without_io(*, quick: bool) -> list[Figure]:
    runs, seconds = (3, 0.1) if quick else (9, 0.5)
    executor = Executor(strawberry.Schema(Query))
    parsed = parse(DOCUMENT)

    async def plain() -> bytes:
        return orjson.dumps({"data": {"photos": [_copied(photo) for photo in _PAGE]}})

    async def compiled() -> bytes:
        return orjson.dumps(await executor.execute(DOCUMENT, ResolverContext()))

    async def library() -> bytes:
        found = execute(executor.schema.core, parsed, context_value=ResolverContext())
        result = found if isinstance(found, ExecutionResult) else await found
        assert isinstance(result, ExecutionResult)
        return orjson.dumps(result.formatted)

    assert await plain() == await compiled() == await library()
    took: dict[str, list[float]] = {"plain": [], "compiled": [], "library": []}
    for _ in range(runs):
        for name, work in (("plain", plain), ("compiled", compiled), ("library", library)):
            took[name].append(await _microseconds(work, seconds))
    return [
        figure(GROUP, "compiled", "µs", took["compiled"]),
        figure(GROUP, "new dicts and orjson", "µs", took["plain"]),
        figure(GROUP, "executor of graphql-core, document parsed", "µs", took["library"]),
        figure(
            GROUP,
            "ratio to new dicts and orjson",
            RATIO,
            ratios(took["compiled"], took["plain"]),
            at_most=4,
            limit="the values themselves",
        ),
    ]


async def _of_pages(*, quick: bool) -> list[Figure]:
    """Return the microseconds of the server for a page over GraphQL and over REST, and their ratio."""
    runs, seconds = (3, 1.0) if quick else (7, 2.0)
    digest = digest_of(FEED)
    with tempfile.TemporaryDirectory(prefix="psb-") as folder:
        manifest = Path(folder) / "documents.json"
        manifest.write_bytes(orjson.dumps({digest: FEED}))
        cores = assign_cores(os.sched_getaffinity(0))
        async with feed_server(cores, settings={"PICSHARE_GRAPHQL__MANIFEST": str(manifest)}) as server:
            graphql, rest = [], []
            for _ in range(runs + 1):
                graphql.append(_server_microseconds(server, f"/graphql?documentId={digest}", seconds))
                rest.append(_server_microseconds(server, REST, seconds))
    # The first run loads the library and compiles the document.
    return [
        figure(PAGE_GROUP, "GraphQL", "µs", graphql[1:]),
        figure(PAGE_GROUP, "REST", "µs", rest[1:]),
        figure(
            PAGE_GROUP,
            "ratio to REST",
            RATIO,
            ratios(graphql[1:], rest[1:]),
            at_most=2,
            limit="the page of REST, whose photos are finished JSON",
        ),
    ]


def _server_microseconds(server: FeedServer, path: str, seconds: float) -> float:
    before = process_seconds(server.pid)
    requests = request_rate(server.port, path, server.tokens[ONE_AUTHOR], connections=CONNECTIONS, seconds=seconds)
    return (process_seconds(server.pid) - before) / (requests * seconds) * 1e6


def _copied(photo: dict[str, Any]) -> dict[str, Any]:
    author, urls = photo["author"], photo["urls"]
    return {
        "id": photo["id"],
        "caption": photo["caption"],
        "createdAt": photo["created_at"],
        **{name: photo[name] for name in _TEXTS[3:]},
        **{name: photo[name] for name in _NUMBERS},
        "liked": photo["liked"],
        "tags": photo["tags"],
        "author": {"id": author["id"], "username": author["username"], "name": author["name"]},
        "urls": {"small": urls["small"], "large": urls["large"]},
    }


async def _microseconds(work: Callable[[], Awaitable[bytes]], seconds: float) -> float:
    """Return the processor time of one call, measured over so many seconds of it."""
    count, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        for _ in range(10):
            await work()
        count += 10
        await asyncio.sleep(0)
    return (time.process_time() - started) / count * 1e6
