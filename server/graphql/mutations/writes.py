"""Declare mutations: the rules of their REST endpoints, their input, and their refusals."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import orjson
import strawberry
from pydantic import BaseModel

from server.edge.endpoint import PREFIX
from server.edge.idempotency import Create, Created, Creation, checked_key
from server.graphql.fields import root
from server.graphql.resolution.context import RequestContext, Source
from server.graphql.resolution.refusals import refusal
from server.graphql.resolution.rules import named

M = TypeVar("M", bound=BaseModel)

Write = Callable[..., Awaitable[Source]]

PhotoId = Annotated[strawberry.ID, strawberry.argument(description="The id of a photo, as `P-01K3S9C0XG4Q7`.")]
CommentId = Annotated[strawberry.ID, strawberry.argument(description="The id of a comment, as `C-01K3S9C0XG4Q7`.")]
UserId = Annotated[strawberry.ID, strawberry.argument(description="The id of a user, as `U-01K3S9C0XG4Q7`.")]
CollectionId = Annotated[
    strawberry.ID, strawberry.argument(description="The id of a collection, as `K-01K3S9C0XG4Q7`.")
]
ListId = Annotated[strawberry.ID, strawberry.argument(description="The id of a list, as `L-01K3S9C0XG4Q7`.")]
IdempotencyKey = Annotated[
    str | None,
    strawberry.argument(
        description="1 to 255 printable characters. A mutation that is repeated with its key has one effect, and the "
        "same result; with other arguments it is refused."
    ),
]


def mutation(
    endpoint: str,
    write: Write,
    *,
    names: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> Any:
    """Declare a mutation that does what a REST endpoint does, with the endpoint's rules.

    `write` returns the payload without its errors. `names` are the arguments for fields of the endpoint's body whose
    names differ in more than their letters' case.
    """

    @functools.wraps(write)
    async def resolve(context: RequestContext, **arguments: Any) -> Source:
        try:
            async with context.writing(endpoint):
                payload = await write(context, **arguments)
        except Exception as error:  # noqa: BLE001 - those that are not expected are raised again
            return refusal(error, context, names)
        return {**payload, "errors": []}

    return root(named(resolve, endpoint), **options)


def given(value: Any) -> Any:
    """Return an input object as the JSON of a REST body: without what is left out, and enums by their values."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list):
        return [given(item) for item in value]
    if not is_dataclass(value):
        return value
    members = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: given(member) for name, member in members.items() if member is not strawberry.UNSET}


def option(description: str) -> Any:
    """Declare a field of an input object that may be left out."""
    return strawberry.field(default=strawberry.UNSET, description=description)


async def create(
    context: RequestContext, key: str | None, path: str, form: BaseModel, write: Create, **dump: Any
) -> Created:
    """Return the JSON of what `write` creates, once for a key, which is that of the REST endpoint at `path` as well."""
    return await context.shared.idempotency.create(
        creation(context, key, path), orjson.dumps(form.model_dump(**dump)), write
    )


def creation(context: RequestContext, key: str | None, path: str) -> Creation:
    """Return a creation by the viewer of a request; raise a 400 for an invalid key."""
    return Creation(
        user_id=context.request.viewer.user_id,
        key=None if key is None else checked_key(key, "idempotencyKey"),
        operation=f"POST {PREFIX}{path}",
    )


def created(name: str, result: Created) -> Source:
    """Return the payload of a creation."""
    return {name: orjson.loads(result.body), "replayed": result.replayed}
