"""Rows: objects of the response, made by a function that is generated for their selection.

Most fields of most objects need no more than to be read and checked. Such a field is in the code of the function, also
the fields of objects inside it. Column by column they take three times as long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

Make: TypeAlias = Callable[[Sequence[Any]], list[dict[str, Any]] | None]
"""Makes the objects of all sources.

Returns None where a value needs more care, an error among them, or where a source is no dict.
"""

Each: TypeAlias = Callable[[Any], Any]
"""Returns a field's value for one parent, without I/O."""

_KEPT = 512  # functions; the aliases of a document often select the same


class LeafForm(NamedTuple):
    """Leaves that are copied: `unless` is the condition on the `{value}`, in Python, on which it is not.

    Values of enumerations are looked up among `names`, pairs of a value and its name.
    """

    unless: str
    nullable: bool = False
    names: tuple[tuple[str, str], ...] = ()


class ListForm(NamedTuple):
    """Lists of leaves that are copied if all their items have one of the classes `kinds`."""

    kinds: frozenset[type]
    nullable: bool


class ObjectForm(NamedTuple):
    """Objects, or with `is_list` lists of them, all of whose fields are made here."""

    fields: tuple[RowField, ...]
    nullable: bool
    is_list: bool


class PrefixedKey(NamedTuple):
    """An entry of the source, with a text before it."""

    prefix: str
    key: str


class RowField(NamedTuple):
    """A field of a row: its response name, and the key or the function by which it is read.

    Without a form the value is the constant `read`: null where the field is filled later, or the name of the type.
    """

    name: str
    read: str | PrefixedKey | Each | None
    form: LeafForm | ListForm | ObjectForm | None


@lru_cache(_KEPT)
def row_function(fields: tuple[RowField, ...]) -> Make:
    """Return the function that makes objects with these fields."""
    code = _Code()
    row = code.row("source", fields, " " * 12)
    lines = [
        "def make(sources):",
        "    try:",
        "        made = []",
        "        for source in sources:",
        "            if type(source) is not dict:",
        "                return None",
        *code.lines,
        f"            made.append({row})",
        "        return made",
        "    except Exception:",  # it is found again, with its place, value by value
        "        return None",
    ]
    # Of the client there are only names in it, which the parser has found to be letters, digits and underscores.
    exec("\n".join(lines), code.values)  # noqa: S102
    make: Make = code.values["make"]
    return make


class _Code:
    """Lines that read and check the fields of one row, and the values that they use by name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, Any] = {"isfinite": math.isfinite}
        self._count = 0

    def row(self, source: str, fields: Sequence[RowField], indent: str) -> str:
        """Write what reads the fields of an object, and return the expression of the new one."""
        return "{" + ", ".join(f"{each.name!r}: {self._field(source, each, indent)}" for each in fields) + "}"

    def _field(self, source: str, field: RowField, indent: str) -> str:
        form = field.form
        if form is None:
            return repr(field.read)
        value = self._new("v")
        key = field.read.key if isinstance(field.read, PrefixedKey) else field.read
        self._write(indent, f"{value} = {self._read(source, key, nullable=form.nullable)}")
        if form.nullable:
            self._write(indent, f"if {value} is not None:")
            indent += "    "
        if isinstance(field.read, PrefixedKey):
            # It is a `TypeError` unless the entry is a text.
            self._write(indent, f"{value} = {field.read.prefix!r} + {value}")
        elif isinstance(form, LeafForm):
            self._leaf(value, form, indent)
        elif isinstance(form, ListForm):
            unless = f"type({value}) is not list or not {self._bound(form.kinds.issuperset)}(map(type, {value}))"
            self._refuse(indent, unless)
        else:
            self._object(value, form, indent)
        return value

    def _leaf(self, value: str, form: LeafForm, indent: str) -> None:
        if form.names:
            # The name of any other value is a `KeyError`.
            self._write(indent, f"{value} = {self._bound(dict(form.names))}[{value}]")
        else:
            self._refuse(indent, form.unless.format(value=value))

    def _object(self, value: str, form: ObjectForm, indent: str) -> None:
        if form.is_list:
            self._refuse(indent, f"type({value}) is not list")
            self._write(indent, f"{value} = {self._bound(row_function(form.fields))}({value})")
            self._refuse(indent, f"{value} is None")
        else:
            self._refuse(indent, f"type({value}) is not dict")
            self._write(indent, f"{value} = {self.row(value, form.fields, indent)}")

    def _read(self, source: str, key: str | Each | None, *, nullable: bool) -> str:
        if callable(key):
            return f"{self._bound(key)}({source})"
        # A missing entry is null, so only where the field may be null it needs no more care.
        return f"{source}.get({key!r})" if nullable else f"{source}[{key!r}]"

    def _refuse(self, indent: str, condition: str) -> None:
        self._write(indent, f"if {condition}:")
        self._write(indent, "    return None")

    def _write(self, indent: str, line: str) -> None:
        self.lines.append(indent + line)

    def _bound(self, value: Any) -> str:
        name = self._new("b")
        self.values[name] = value
        return name

    def _new(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"
