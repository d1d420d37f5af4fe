"""The schema as both executors use it: leaves, type names and arguments follow the contract of fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, GraphQLUnionType
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from server.graphql.fields import FieldOptions, options_of, read, type_name


class Schema:
    """A schema of strawberry, and its types in graphql-core."""

    def __init__(self, source: strawberry.Schema) -> None:
        self._source = source
        self.core = prepare(source)

    def sdl(self) -> str:
        """Return the schema in the schema definition language."""
        return self._source.as_str() + "\n"

    def converted(self, values: Mapping[str, Any], field: GraphQLField) -> dict[str, Any]:
        """Return coerced arguments by the names of the resolver's parameters, with input objects as their classes."""
        declared = _declared(field)
        if declared is None or not declared.arguments:
            return {}
        registry = self._source.schema_converter.scalar_registry
        return convert_arguments(dict(values), declared.arguments, scalar_registry=registry, config=self._source.config)


def prepare(schema: strawberry.Schema) -> GraphQLSchema:
    """Return the schema of graphql-core, in which leaves and type names are read as the contract says."""
    core: GraphQLSchema = schema._schema
    for kind in core.type_map.values():
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            kind.resolve_type = lambda value, _info, _type: type_name(value)
        elif isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            # Values need not be instances of the classes: the rows of a page are mappings.
            kind.is_type_of = None
            for field in kind.fields.values():
                _read_leaf(field)
    return core


def field_options(field: GraphQLField) -> FieldOptions:
    """Return the options of a field; those of introspection's fields are the defaults."""
    declared = _declared(field)
    return FieldOptions() if declared is None else options_of(declared)


def leaf_key(field: GraphQLField) -> str:
    """Return the key that a leaf is read by: the one of its options, or its name in Python."""
    declared = _declared(field)
    return field_options(field).key or str(None if declared is None else declared.python_name)


def _declared(field: GraphQLField) -> StrawberryField | None:
    found = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return found if isinstance(found, StrawberryField) else None


def _read_leaf(field: GraphQLField) -> None:
    declared = _declared(field)
    if declared is not None and declared.is_basic_field:
        field.resolve = _reader(leaf_key(field))


def _reader(key: str) -> Callable[..., Any]:
    return lambda parent, _info: read(parent, key)
