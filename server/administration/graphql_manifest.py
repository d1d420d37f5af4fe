"""Manifests of persisted GraphQL documents: read a directory of documents, check them, and write the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import orjson

from server.composition.graphql import make_schema
from server.errors import ConfigError
from server.graphql.documents import Documents
from server.graphql.errors import RequestRefusedError
from server.graphql.manifest import digest_of, load_manifest
from server.graphql.schema_types import Schema
from server.graphql.structure import Limits, trusted_limits

_SUFFIXES = {".graphql", ".gql"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The documents of a directory by their ids, and what is wrong with some of them: (file, message)."""

    documents: dict[str, str]
    faults: list[tuple[Path, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Ids of documents that a manifest lacks, and of those that it has in addition."""

    missing: list[str]
    additional: list[str]


def read_directory(directory: Path) -> Manifest:
    """Return the documents below a directory, each file one; raise `ConfigError` where there are none."""
    files = sorted(path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    if not files:
        raise ConfigError(f"{directory} has no files that end with {' or '.join(sorted(_SUFFIXES))}.")
    checker, limits = Documents(Schema(make_schema())), trusted_limits(Limits())
    documents, faults = {}, []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
            checker.check(text, limits)
        except UnicodeDecodeError:
            faults.append((path, "This is not UTF-8."))
        except RequestRefusedError as error:
            faults += [(path, _located(entry)) for entry in error.entries()]
        else:
            documents[digest_of(text)] = text
    return Manifest(documents=documents, faults=faults)


def write(manifest: Manifest, path: Path) -> None:
    """Write the file that `graphql.manifest` names."""
    path.write_bytes(orjson.dumps(manifest.documents, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def compare(manifest: Manifest, path: Path) -> Difference:
    """Return how the file at `path` differs from the documents of a directory; raise `ConfigError` if it is none."""
    written = load_manifest(path)
    return Difference(
        missing=sorted(manifest.documents.keys() - written.keys()),
        additional=sorted(written.keys() - manifest.documents.keys()),
    )


def schema_text() -> str:
    """Return the schema in the schema definition language."""
    return Schema(make_schema()).sdl()


def _located(entry: dict[str, object]) -> str:
    locations = entry.get("locations")
    if not isinstance(locations, list) or not locations:
        return str(entry["message"])
    return f"{locations[0]['line']}:{locations[0]['column']}: {entry['message']}"
