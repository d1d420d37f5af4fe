"""The events of a released version, as its processes write and read them: `tests/data/messages.json`.

    python -m tests.support.messages <commit> > tests/data/messages.json     # at a release, in its source

During an upgrade processes of both versions read what either has written. An older reader ignores fields that it does
not know and needs those of its own that have no default; the same is true of a newer one.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import msgpack

from storage import events
from storage.event import Event

_VALUES: Mapping[str, object] = {
    "bool": True,
    "str": "a",
    "float": 0.5,
    "list[int]": [1 << 62],
    "list[str]": ["a"],
    "Sequence[int]": [1 << 62],
    "Sequence[str]": ["a"],
    "Sequence[tuple[int, int]]": [[1, 2]],
    "Sequence[tuple[int, str]]": [[1, "a"]],
    "Sequence[tuple[int, int, int]]": [[1, 2, 3]],
    "Mapping[str, Any]": {"a": 1},
}


def sample(kind: type[Any]) -> Any:
    """Return an event with a value in each field."""
    fields = dataclasses.fields(kind)
    numbers = {field.name: index + (1 << 62) for index, field in enumerate(fields)}
    return kind(**{field.name: _VALUES.get(str(field.type), numbers[field.name]) for field in fields})


def described(kind: type[Event]) -> dict[str, Any]:
    """Return a topic's fields with their types, which of them a reader needs, and the body of a sample in hex."""
    fields = dataclasses.fields(kind)
    return {
        "types": {field.name: str(field.type) for field in fields},
        "needed": [field.name for field in fields if _is_needed(field)],
        "body": events.encode(sample(kind)).hex(),
    }


def faults(topic: str, released: Mapping[str, Any], kind: type[Any] | None) -> Iterator[str]:
    """Yield why processes of both versions would not understand each other's events of a topic."""
    if kind is None:
        yield f"{topic}: events of the released version have no reader; keep it until none is left"
        return
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in released["needed"]:
        if name not in fields:
            yield f"{topic}: the released version needs the field {name}"
    for name, old in released["types"].items():
        if name in fields and str(fields[name].type) != old:
            yield f"{topic}: the field {name} was {old} and is {fields[name].type}"
    for name, field in fields.items():
        if name not in released["types"] and _is_needed(field):
            yield f"{topic}: events of the released version lack the new field {name}; give it a default"


def _is_needed(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def unpacked(body: str) -> dict[str, Any]:
    """Return the fields of a body in hex, without the version."""
    found: dict[str, Any] = msgpack.unpackb(bytes.fromhex(body))
    return {name: value for name, value in found.items() if name != "v"}


if __name__ == "__main__":
    kinds = sorted(Event.__subclasses__(), key=lambda kind: kind.topic)
    json.dump({"commit": sys.argv[1], "topics": {kind.topic: described(kind) for kind in kinds}}, sys.stdout, indent=1)
    sys.stdout.write("\n")
