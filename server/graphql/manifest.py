"""The manifest of persisted documents, by their SHA-256. This module does not load the GraphQL library."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from server.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class AcceptedDocuments:
    """Which documents are executed: every valid one, or with `trusted` those of the manifest, by their SHA-256."""

    manifest: Mapping[str, str] = field(default_factory=dict)
    trusted: bool = False


def digest_of(text: str) -> str:
    """Return the id of a document: the SHA-256 of its text, in lower-case hexadecimal digits."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def load_manifest(path: Path) -> dict[str, str]:
    """Return the documents of a manifest file by their ids; raise `ConfigError` where it is no manifest."""
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"graphql.manifest: {path} cannot be read: {error.strerror}.") from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"graphql.manifest: {path} is not valid JSON: {error}.") from error
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ConfigError(f'graphql.manifest: {path} should be an object of documents: {{"<sha256>": "query …"}}.')
    for digest, text in found.items():
        if digest_of(text) != digest:
            raise ConfigError(
                f"graphql.manifest: {path}: {digest} is not the SHA-256 of its document; "
                "create the file with `picshare graphql manifest`."
            )
    return found
