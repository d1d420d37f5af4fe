"""Prepare a schema of strawberry for both executors: its fields and abstract types follow the contract of fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, GraphQLUnionType
from strawberry.schema.schema_converter import GraphQLCoreConverter

from server.graphql.fields import FieldOptions, options_of, read, type_name


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
    declared = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    return FieldOptions() if declared is None else options_of(declared)


def leaf_key(field: GraphQLField) -> str:
    """Return the key that a leaf is read by."""
    declared = field.extensions[GraphQLCoreConverter.DEFINITION_BACKREF]
    return field_options(field).key or str(declared.python_name)


def _read_leaf(field: GraphQLField) -> None:
    declared = field.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
    if declared is not None and declared.is_basic_field:
        field.resolve = _reader(leaf_key(field))


def _reader(key: str) -> Callable[..., Any]:
    return lambda parent, _info: read(parent, key)
