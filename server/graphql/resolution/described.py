"""Declare types of the schema whose descriptions are the docstrings of their classes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from enum import EnumMeta
from typing import TypeVar

import strawberry

T = TypeVar("T")
E = TypeVar("E", bound=EnumMeta)


def object_type(cls: type[T]) -> type[T]:
    """Declare an object type."""
    return strawberry.type(cls, description=inspect.getdoc(cls))


def interface_type(cls: type[T]) -> type[T]:
    """Declare an interface."""
    return strawberry.interface(cls, description=inspect.getdoc(cls))


def input_type(cls: type[T]) -> type[T]:
    """Declare an input object."""
    return strawberry.input(cls, description=inspect.getdoc(cls))


def enum_type(cls: E, description: str, values: Mapping[str, str], *, name: str | None = None) -> E:
    """Declare an enum whose values are the members that `values` describes, by their names."""
    declared = strawberry.enum(cls, name=name, description=description)
    definition = declared.__strawberry_definition__  # type: ignore[attr-defined]
    definition.values = [value for value in definition.values if value.name in values]
    for value in definition.values:
        value.description = values[value.name]
    if len(definition.values) != len(values):
        raise ValueError(f"{cls.__name__} has no members {sorted(set(values) - {v.name for v in definition.values})}")
    return declared
