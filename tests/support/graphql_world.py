"""A schema that has every feature of GraphQL's type system, over data that are wrong in a reproducible way.

Whether a field of an object is right, null, an error or of a wrong class depends on a seed, the object and the field.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Sequence
from typing import Annotated, Any, NewType

import strawberry
from strawberry.schema.config import StrawberryConfig

from server.graphql.fields import ResolverContext, Results, batch, leaf, root
from storage.errors import ConflictError, NotFoundError

Row = dict[str, Any]
Timestamp = NewType("Timestamp", str)
WRONG = object()  # no scalar but the timestamp has a form for it


@strawberry.enum
class Mood(enum.Enum):
    """An enumeration whose values differ from their names."""

    CALM = "calm"
    WILD = "very wild"


@strawberry.input
class Filter:
    least: int = 0
    names: list[str] | None = None


class World(ResolverContext):
    """The context: a seed of faults, and a record of the calls of resolvers."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.calls: list[tuple[str, int]] = []
        self.names: list[str] = []

    def value(self, key: object, right: Any) -> Any:
        """Return the right value of a field, or one of its faults."""
        if self.seed == 0:
            return right
        chance = zlib.crc32(repr((self.seed, key)).encode()) % 40
        if chance == 0:
            return None
        if chance == 1:
            return NotFoundError("photo")
        if chance == 2:
            return ConflictError("title_taken", "The title is taken.", field="title")
        # A resolver that fails for a wrong object fails for all parents of its call, and calls differ by executor.
        is_object = isinstance(right, dict | Post)
        return WRONG if chance == 3 and not is_object else right

    def user(self, number: int) -> Row:
        """Return the row of a user."""
        return {
            "__typename": "User",
            "number": number,
            "id": self.value((number, "id"), f"U-{number}"),
            "display": self.value((number, "name"), f"user {number}"),
            "nick": None if number % 2 else self.value((number, "nick"), f"n{number}"),
            "tags": self.value((number, "tags"), ["a", self.value((number, "tag"), "b")]),
            "matrix": self.value((number, "matrix"), [[1, 2], [self.value((number, "cell"), 3)], None]),
            "mood": self.value((number, "mood"), Mood.CALM),
            "since": self.value((number, "since"), "2026-11-28"),
            "active": self.value((number, "active"), number % 3 == 0),
            "count": self.value((number, "count"), number * 1_000),
        }

    def post(self, number: int) -> Row | Post:
        """Return a post: a row, or an object."""
        row = {
            "id": self.value((number, "post id"), f"P-{number}"),
            "title": self.value((number, "title"), f"title {number}"),
            "rating": self.value((number, "rating"), number / 4),
            "media": self.value(
                (number, "media"),
                {"__typename": "Image" if number % 2 else "Video", "url": f"/{number}", "width": 4, "seconds": 1.5},
            ),
        }
        if number % 3 == 0:
            return Post(**row)
        return {"__typename": "Post", **row, "number": number}

    def node(self, number: int) -> Any:
        """Return a user or a post."""
        return self.user(number) if number % 2 else self.post(number)


def _number(row: Any) -> int:
    found = row["number"] if isinstance(row, dict) else int(str(row.id).removeprefix("P-")) if row.id else 0
    return int(found)


async def _friends(users: Sequence[Row], world: World, first: int = 2) -> Results[Any]:
    world.calls.append(("friends", len(users)))
    return [
        world.value(
            (user["number"], "friends"),
            [
                world.value((user["number"], "friend", place), world.user(user["number"] * 3 + place))
                for place in range(first)
            ],
        )
        for user in users
    ]


async def _best(users: Sequence[Row], world: World) -> Results[Any]:
    world.calls.append(("best", len(users)))
    if world.seed % 5 == 1:
        raise ConflictError("busy", "Everything is busy.")
    return [world.value((user["number"], "best"), world.user(user["number"] + 1)) for user in users]


async def _posts(users: Sequence[Row], world: World, first: int = 2, matching: Filter | None = None) -> Results[Any]:
    world.calls.append(("posts", len(users)))
    least = matching.least if matching else 0
    return [[world.post(user["number"] + place + least) for place in range(first)] for user in users]


async def _authors(posts: Sequence[Any], world: World) -> Results[Any]:
    world.calls.append(("authors", len(posts)))
    return [world.value((_number(post), "author"), world.user(_number(post))) for post in posts]


async def _related(posts: Sequence[Any], world: World) -> Results[Any]:
    return [
        world.value((_number(post), "related"), [world.node(_number(post) + 1), world.node(_number(post) + 2)])
        for post in posts
    ]


def _scores(posts: Sequence[Any], world: World, scale: int = 2, *, mood: Mood = Mood.CALM) -> Results[Any]:
    return [world.value((_number(post), "score"), _number(post) * scale + len(mood.value)) for post in posts]


async def _user(world: World, id: strawberry.ID) -> Any:  # noqa: A002 - the name in the schema
    return world.value((id, "root user"), world.user(int(id) % 50))


async def _users(world: World, first: int = 2) -> Any:
    return world.value("root users", [world.value((place, "item"), world.user(place)) for place in range(first)])


async def _node(world: World, id: strawberry.ID) -> Any:  # noqa: A002 - the name in the schema
    return world.value((id, "root node"), world.node(int(id) % 50))


async def _me(world: World) -> Any:
    return world.value("root me", world.user(7))


async def _broken(users: Sequence[Row], world: World) -> Results[Any]:
    raise RuntimeError("secret of the server")


async def _rename(world: World, name: str, *, fail: bool = False) -> Any:
    world.names.append(name)
    if name == "taken":
        raise ConflictError("name_taken", "The name is taken.", field="name")
    return NotFoundError("user") if fail else {**world.user(1), "display": name}


@strawberry.interface
class Node:
    id: strawberry.ID


PostType = Annotated["Post", strawberry.lazy("tests.support.graphql_world")]


@strawberry.type
class User(Node):
    name: str = leaf(key="display")
    nick: str | None
    tags: list[str] | None
    matrix: list[list[int] | None] | None
    mood: Mood | None
    since: Timestamp | None
    active: bool | None
    count: int | None
    friends: list[User | None] | None = batch(_friends)
    all_friends: list[User] = batch(_friends)
    best: User | None = batch(_best)
    strict_best: User = batch(_best)
    posts: list[PostType] = batch(_posts)
    broken_batch: str | None = batch(_broken)


@strawberry.type
class Image:
    url: str
    width: int


@strawberry.type
class Video:
    url: str
    seconds: float | None


@strawberry.type
class Post(Node):
    title: str | None
    rating: float | None
    media: Image | Video | None
    author: User = batch(_authors)
    related: list[Node] | None = batch(_related)
    score: int = batch(_scores)


@strawberry.type
class Query:
    user: User | None = root(_user)
    users: list[User | None] = root(_users)
    strict_users: list[User] | None = root(_users)
    node: Node | None = root(_node)
    me: User = root(_me)


@strawberry.type
class Mutation:
    rename: User | None = root(_rename)
    strict_rename: User = root(_rename)


SCHEMA = strawberry.Schema(
    Query,
    Mutation,
    types=[Post],
    config=StrawberryConfig(scalar_map={Timestamp: strawberry.scalar(name="Timestamp", serialize=str)}),
)
