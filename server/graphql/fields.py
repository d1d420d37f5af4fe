"""Contract between the fields of the schema and the executor: leaves, batch fields, and the fields of root types.

A leaf reads its parent: an attribute, or an entry of a mapping. A field that needs I/O is a batch field: its resolver
is called once for a level of the response, with every parent of that level, whatever the lists above it:

    async def _authors(photos: Sequence[Card], context: Context, *, size: int = 64) -> Sequence[Author]: ...

    @strawberry.type
    class Photo:
        id: strawberry.ID
        caption: str = leaf(key="text")
        author: Author = batch(_authors)

The parameters after the context are the field's arguments. The resolver returns one result for each parent, in their
order; a result that is an exception becomes the error of that parent's field, and an exception that is raised becomes
the error of all of them. The value of an object field is a mapping or any other object; where the type of the field is
an interface or a union, `type_name` says which type the value has.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from server.graphql.due import Due

R = TypeVar("R")

# One entry for each parent: its result, or the error of its field.
Results: TypeAlias = Sequence[R | Exception]
BatchFunction: TypeAlias = Callable[..., Awaitable[Results[Any]] | Results[Any]]

TYPE_NAME = "__typename"  # entry of a mapping that names its type, where the type of the field is abstract
_FIELD = "picshare"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldOptions:
    """How the executor reads a field, and what the field costs.

    Exactly one of `key` and `resolve` is set, or neither for a leaf that is read by the field's name. `weight` is the
    cost of one value; None is 1 for a field that returns objects and 0 for any other. `size` is the number of objects
    that a list without the argument `first` is assumed to have, or the name of an argument that is as long as the
    list. A field that `charges` takes what is due for the operation, and charges it in the round trip of its read; the
    fields that lead to it read nothing.
    """

    key: str | None = None
    resolve: BatchFunction | None = None
    weight: int | None = None
    size: int | str | None = None
    charges: bool = False


class Each:
    """The batch function of a field without I/O, whose value depends on one parent alone.

    The executor calls `value` with the parent where it makes the objects of a whole selection. It may be called twice
    with one parent.
    """

    def __init__(self, value: Callable[[Any], Any]) -> None:
        self.value = value
        # Those of a function, without its signature, which is another one.
        for name in functools.WRAPPER_ASSIGNMENTS:
            if name != "__annotations__":
                setattr(self, name, getattr(value, name))

    def __call__(self, parents: Sequence[Any], _context: ResolverContext) -> Results[Any]:
        """Return the values of all parents."""
        return [self.value(parent) for parent in parents]


class Prefixed(Each):
    """The batch function of a field that is an entry of the parent with a text before it, null where that is null."""

    def __init__(self, prefix: str, key: str) -> None:
        self.prefix = prefix
        self.key = key
        super().__init__(self._of)

    def _of(self, parent: Mapping[str, Any]) -> str | None:
        found = parent.get(self.key)
        return None if found is None else self.prefix + found


class ResolverContext:
    """What the resolvers of one request share; subclasses add the viewer and the services."""

    def __init__(self) -> None:
        self.due = Due()
        self._loaders: dict[Hashable, DataLoader[Any, Any]] = {}

    async def load(self, resolve: BatchFunction, parent: Any, arguments: Mapping[str, Any]) -> Any:
        """Return one parent's result, resolved in one call with the others that ask at the same time.

        The executor of graphql-core resolves one field of one parent at a time; with this it makes the same calls as
        ours does.
        """
        key = (resolve, frozen(arguments))
        loader = self._loaders.get(key)
        if loader is None:

            async def load(parents: list[Any]) -> Results[Any]:
                return await call(resolve, parents, self, arguments)

            # Parents are often mappings, which have no hash; equal ones are rare within a level.
            loader = self._loaders[key] = DataLoader(load, cache=False)
        return await loader.load(parent)


async def call(
    resolve: BatchFunction, parents: Sequence[Any], context: ResolverContext, arguments: Mapping[str, Any]
) -> Results[Any]:
    """Return the results of a batch resolver; raise `RuntimeError` unless there is one for each parent."""
    found = resolve(parents, context, **arguments)
    return one_each(resolve, parents, await found if inspect.isawaitable(found) else found)


def one_each(resolve: BatchFunction, parents: Sequence[Any], results: Results[Any]) -> Results[Any]:
    """Return the results of a batch resolver; raise `RuntimeError` unless there is one for each parent."""
    if len(results) != len(parents):
        raise RuntimeError(f"{resolve.__qualname__} returned {len(results)} results for {len(parents)} parents")
    return results


def leaf(*, key: str | None = None, weight: int | None = None, size: int | None = None, **options: Any) -> Any:
    """Declare a field that reads its parent by another name than the field's, or that has a cost.

    A missing entry of a mapping is null. `options` are those of `strawberry.field`. Fields of the parent's own name
    need no declaration.
    """
    return _declare(FieldOptions(key=key, weight=weight, size=size), **options)


def batch(
    resolve: BatchFunction, *, weight: int | None = None, size: int | None = None, charges: bool = False, **options: Any
) -> Any:
    """Declare a batch field, of the type in the class's annotation; `options` are those of `strawberry.field`.

    `resolve` takes (parents, context, arguments…) and returns `Results`, or an awaitable of them.
    """
    parameters = list(inspect.signature(resolve).parameters.values())
    if len(parameters) < 2:
        raise TypeError(f"{resolve.__qualname__} must take the parents and the context")

    async def resolver(root: Any, info: strawberry.Info, **arguments: Any) -> Any:
        return await info.context.load(resolve, root, arguments)

    return _declare(
        FieldOptions(resolve=resolve, weight=weight, size=size, charges=charges),
        resolver=_adapted(resolver, resolve, parameters[2:]),
        **options,
    )


def root(
    resolve: Callable[..., Awaitable[Any]], *, weight: int | None = None, size: int | str | None = None, **options: Any
) -> Any:
    """Declare a field of a root type, whose resolver takes (context, arguments…) and returns the value.

    Fields of `Mutation` are executed one after the other, each with all that is selected below it.
    """
    parameters = list(inspect.signature(resolve).parameters.values())
    if not parameters:
        raise TypeError(f"{resolve.__qualname__} must take the context")

    async def resolve_root(parents: Sequence[Any], context: ResolverContext, **arguments: Any) -> Results[Any]:
        return [await resolve(context, **arguments) for _ in parents]

    resolve_root.__wrapped__ = resolve  # type: ignore[attr-defined]  # for tools that read what a resolver declares

    async def resolver(root: Any, info: strawberry.Info, **arguments: Any) -> Any:  # noqa: ARG001 - has no value
        return await resolve(info.context, **arguments)

    return _declare(
        FieldOptions(resolve=resolve_root, weight=weight, size=size),
        resolver=_adapted(resolver, resolve, parameters[1:]),
        **options,
    )


def options_of(field: Any) -> FieldOptions:
    """Return the options of a field of strawberry; those of a plain field are the defaults."""
    found = field.metadata.get(_FIELD)
    return found if isinstance(found, FieldOptions) else FieldOptions()


def read(parent: Any, key: str) -> Any:
    """Return a leaf's value: an entry of a mapping, null where it is missing, or an attribute."""
    # The class comes first: most parents are dicts, and the abstract class takes ten times as long to ask.
    if type(parent) is dict or isinstance(parent, Mapping):
        return parent.get(key)
    return getattr(parent, key)


def type_name(value: Any) -> str | None:
    """Return the name of the object type of a value: its entry `__typename`, or the name of its class's type."""
    if isinstance(value, Mapping):
        name = value.get(TYPE_NAME)
        return name if isinstance(name, str) else None
    definition = getattr(type(value), "__strawberry_definition__", None)
    return None if definition is None else str(definition.name)


def _declare(field: FieldOptions, **options: Any) -> Any:
    metadata = {**options.pop("metadata", {}), _FIELD: field}
    return strawberry.field(metadata=metadata, **options)


def _adapted(
    resolver: Callable[..., Awaitable[Any]], resolve: Callable[..., Any], arguments: list[inspect.Parameter]
) -> Callable[..., Awaitable[Any]]:
    """Return a resolver of one parent, with the name, the module and the arguments of a resolver of the contract."""
    own = list(inspect.signature(resolver).parameters.values())
    keyword_only = [argument.replace(kind=inspect.Parameter.KEYWORD_ONLY) for argument in arguments]
    # strawberry evaluates annotations in the module of the resolver, and finds `info` by its type.
    info = own[1].replace(annotation=strawberry.Info)
    resolver.__signature__ = inspect.Signature([own[0], info, *keyword_only])  # type: ignore[attr-defined]
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(resolver, name, getattr(resolve, name))
    return resolver


def frozen(value: Any) -> Hashable:
    """Return a hashable form of arguments, which contain mappings, lists and input objects."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), frozen(item)) for name, item in value.items()))
    if isinstance(value, list | tuple):
        return tuple(frozen(item) for item in value)
    return value if isinstance(value, Hashable) else repr(value)
