"""Completion of columns: the values of one field for all objects of a level become values of the response.

A column is completed as a whole where all its values have the expected class, which is the rule: then scalars are
copied without a call, and objects are only counted. Otherwise each value is completed by itself, as the specification
says (section 6.4.3), and the faults are returned with their places inside the field's value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeVar

from graphql import GraphQLEnumType, GraphQLScalarType
from graphql.pyutils import is_iterable

from server.graphql.fields import type_name
from server.graphql.rows import LeafForm, ListForm, Make, ObjectForm, RowField

Trail = tuple[int, ...]  # indexes into the lists of a field's value
_NONE = type(None)
_LISTS, _DICTS = frozenset({list}), frozenset({dict})
_MAX_INT = 2**31  # of the type Int


class Failure(NamedTuple):
    """An error inside the value of one parent, which is given by its index."""

    parent: int
    trail: Trail
    error: Exception


class Template(Protocol):
    """A selection, of which only this is used: what new objects begin as, all null but their type names.

    `make` makes objects with all that a row has, and `fields` are those of the row where it has all fields.
    """

    template: dict[str, Any]
    make: Make | None
    fields: tuple[RowField, ...] | None


S = TypeVar("S", bound=Template)


class Children(NamedTuple):
    """Objects of one type in completed values: what they are read from, and the response objects to fill.

    Those that are `made` lack only what is filled after the row.
    """

    selection: Any
    sources: list[Any]
    targets: list[dict[str, Any]]
    made: bool = False


class Completed(NamedTuple):
    """A completed column: one value for each parent, the errors, and the objects that are still to be filled."""

    values: Sequence[Any]
    failures: Sequence[Failure] = ()
    children: Sequence[Children] = ()


class Shape(NamedTuple):
    """The lists and the nullability of a field's type, from the outside: whether each level may be null.

    `[Photo!]` is `(True, False)`: the list may be null, its items may not.
    """

    nullable: tuple[bool, ...]

    @property
    def lists(self) -> int:
        """Return how many lists the type has."""
        return len(self.nullable) - 1


class UnexpectedValueError(TypeError):
    """A resolver returned what the type of its field does not allow."""


class LeafColumn:
    """Completion of a field of scalars or enumeration values, or of lists of them."""

    def __init__(self, kind: GraphQLScalarType | GraphQLEnumType, shape: Shape) -> None:
        self._shape = shape
        self._lists = shape.lists
        self._coerce = kind.coerce_output_value
        # Values by their names; what is not among them, as a member of the class, is coerced by the library.
        self._names = _names(kind)
        passes = _passing(kind)
        self._passes = passes
        kinds = () if passes is None else (passes.kind,)
        self._items = frozenset((*kinds, _NONE) if shape.nullable[-1] else kinds)

    @property
    def form(self) -> LeafForm | ListForm | None:
        """Return how rows have the values of this field; None if they cannot."""
        nullable, passes = self._shape.nullable[0], self._passes
        if self._lists == 0 and self._names:
            return LeafForm("", nullable, tuple(self._names.items()))
        if passes is None:
            return None
        if self._lists == 0:
            return LeafForm(passes.unless, nullable)
        return ListForm(self._items, nullable) if self._lists == 1 and passes.check is _any else None

    def complete(self, values: Sequence[Any]) -> Completed:
        """Return the completed column."""
        if self._pass(values):
            return Completed(values)
        coerced = self._coerce_all(values)
        if coerced is not None:
            return Completed(coerced)
        slow = _EachValue(self._shape, self._leaf)
        return Completed(slow.complete(values), slow.failures)

    def _pass(self, values: Sequence[Any]) -> bool:
        """Return whether all values may be copied as they are."""
        if self._passes is None:
            return False
        if self._lists == 0:
            return self._items.issuperset(map(type, values)) and self._passes.check(values)
        if self._lists == 1 and _LISTS.issuperset(map(type, values)):
            items = list(chain.from_iterable(values))
            return self._items.issuperset(map(type, items)) and self._passes.check(items)
        return False

    def _coerce_all(self, values: Sequence[Any]) -> list[Any] | None:
        """Return the values of a custom scalar or an enumeration; None where one of them needs more care."""
        if self._passes is not None or self._lists or not _are_present(values):
            return None
        try:
            return [self._names[value] for value in values]
        except (KeyError, TypeError):
            pass
        try:
            coerced = [self._coerce(value) for value in values]
        except Exception:  # noqa: BLE001 - found again, with its place, value by value
            return None
        return None if None in coerced else coerced

    def _leaf(self, value: Any) -> Any:
        coerced = self._coerce(value)
        if coerced is None:
            raise UnexpectedValueError(f"a value of class {type(value).__name__} has no form in the response")
        return coerced


class ObjectColumn:
    """Completion of a field of objects, or of lists of them.

    `selection` is what is selected on the type of all of them. Where the type is an interface or a union it is None,
    and `types` has the selections by the names of the types that the objects have; it raises for any other.
    """

    def __init__(self, shape: Shape, selection: S | None, types: Mapping[str, S] | None = None) -> None:
        self._shape = shape
        self._lists = shape.lists
        self._selection = selection
        self._types: Mapping[str, S] = {} if types is None else types

    @property
    def form(self) -> ObjectForm | None:
        """Return how rows have the values of this field; None if they cannot."""
        fields = None if self._selection is None else self._selection.fields
        if fields is None or self._lists > 1 or (self._lists and self._shape.nullable[1]):
            return None
        return ObjectForm(fields, self._shape.nullable[0], self._lists == 1)

    @property
    def selection(self) -> Any:
        """Return what is selected on the type of all objects; None where the type is an interface or a union."""
        return self._selection

    def selection_on(self, name: str) -> Any:
        """Return what is selected on a type of an interface or a union; raise for any other."""
        return self._types[name]

    def complete(self, values: Sequence[Any]) -> Completed:
        """Return the completed column."""
        if self._selection is not None:
            found = self._complete_alike(values, self._selection)
            if found is not None:
                return found
        buckets: dict[str, Children] = {}
        slow = _EachValue(self._shape, lambda value: self._object(value, buckets))
        completed = slow.complete(values)
        return Completed(completed, slow.failures, list(buckets.values()))

    def _complete_alike(self, values: Sequence[Any], selection: S) -> Completed | None:
        """Return the completed column where no value is null or wrong."""
        if self._lists == 0 and _are_present(values):
            children = _children(selection, list(values))
            return Completed(children.targets, (), (children,))
        if self._lists == 1 and _LISTS.issuperset(map(type, values)):
            sources = list(chain.from_iterable(values))
            if _are_present(sources):
                children = _children(selection, sources)
                return Completed(list(_divided(children.targets, values)), (), (children,))
        return None

    def _object(self, value: Any, buckets: dict[str, Children]) -> dict[str, Any]:
        name, selection = "", self._selection
        if selection is None:
            name = type_name(value) or ""
            selection = self._types[name]
        children = buckets.get(name)
        if children is None:
            children = buckets[name] = Children(selection, [], [])
        target: dict[str, Any] = selection.template.copy()
        children.sources.append(value)
        children.targets.append(target)
        return target


class _EachValue:
    """Complete values one by one, with a function for what is inside the lists."""

    def __init__(self, shape: Shape, inner: Callable[[Any], Any]) -> None:
        self._nullable = shape.nullable
        self._inner = inner
        self._index = 0
        self.failures: list[Failure] = []

    def complete(self, values: Sequence[Any]) -> list[Any]:
        completed = []
        for self._index, value in enumerate(values):  # its failures have the index
            completed.append(self._value(value, ()))
        return completed

    def _value(self, value: Any, trail: Trail) -> Any:
        try:
            return self._completed(value, trail)
        except Exception as error:  # noqa: BLE001 - every error of a value becomes one of the response
            self.failures.append(Failure(self._index, trail, error))
            return None

    def _completed(self, value: Any, trail: Trail) -> Any:
        if isinstance(value, Exception):
            raise value
        if value is None:
            if not self._nullable[len(trail)]:
                raise UnexpectedValueError("null for a field, or an item, that cannot be null")
            return None
        if len(trail) == len(self._nullable) - 1:
            return self._inner(value)
        if not is_iterable(value):
            raise UnexpectedValueError(f"a value of class {type(value).__name__} for a list")
        return [self._value(item, (*trail, position)) for position, item in enumerate(value)]


class _Passing(NamedTuple):
    """The class of values that a scalar copies as they are, and a check of these values; `unless` is both of one."""

    kind: type
    check: Callable[[Sequence[Any]], bool]
    unless: str


def _names(kind: GraphQLScalarType | GraphQLEnumType) -> dict[Any, str]:
    if not isinstance(kind, GraphQLEnumType):
        return {}
    return {each.value: name for name, each in kind.values.items() if isinstance(each.value, str)}


def _passing(kind: GraphQLScalarType | GraphQLEnumType) -> _Passing | None:
    return _PASSING.get(kind.name) if isinstance(kind, GraphQLScalarType) else None


def _any(_values: Sequence[Any]) -> bool:
    return True


def _small(values: Sequence[Any]) -> bool:
    if None in values:
        return all(-_MAX_INT <= value < _MAX_INT for value in values if value is not None)
    return not values or (min(values) >= -_MAX_INT and max(values) < _MAX_INT)


def _finite(values: Sequence[Any]) -> bool:
    return all(math.isfinite(value) for value in values if value is not None)


_PASSING = {
    "String": _Passing(str, _any, "type({value}) is not str"),
    "ID": _Passing(str, _any, "type({value}) is not str"),
    "Boolean": _Passing(bool, _any, "type({value}) is not bool"),
    "Int": _Passing(int, _small, f"type({{value}}) is not int or not {-_MAX_INT} <= {{value}} < {_MAX_INT}"),
    "Float": _Passing(float, _finite, "type({value}) is not float or not isfinite({value})"),
    # Scalars of the product, whose values are those of the REST API.
    "DateTime": _Passing(str, _any, "type({value}) is not str"),
    "BigInt": _Passing(int, _any, "type({value}) is not int"),
}


def _children(selection: Template, sources: list[Any]) -> Children:
    """Return new objects for the sources, made as rows where that is possible."""
    rows = None if selection.make is None else selection.make(sources)
    if rows is None:
        template = selection.template
        return Children(selection, sources, [template.copy() for _ in sources])
    return Children(selection, sources, rows, made=True)


def _are_present(values: Sequence[Any]) -> bool:
    """Return whether no value is null or an error."""
    if _DICTS.issuperset(map(type, values)):
        return True
    return not any(kind is _NONE or issubclass(kind, Exception) for kind in set(map(type, values)))


def _divided(targets: list[dict[str, Any]], lists: Sequence[Sequence[Any]]) -> Iterator[list[dict[str, Any]]]:
    start = 0
    for each in lists:
        yield targets[start : start + len(each)]
        start += len(each)
