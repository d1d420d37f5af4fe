"""Persisted documents: a manifest of documents by their SHA-256, and whether others are accepted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

import orjson

from server.errors import ConfigError
from server.graphql.errors import RequestRefusedError
from server.graphql.requests import OperationRequest

# Apollo's clients know these messages: after the first they send the document, after the second always.
_NOT_FOUND = "PersistedQueryNotFound"
_NOT_SUPPORTED = "PersistedQueryNotSupported"


class Accepted(Enum):
    """Which documents are executed: every valid one, or those of the manifest."""

    OPEN = "open"
    TRUSTED = "trusted"


class PersistedDocuments:
    """The documents of the manifest; with `TRUSTED` no others are executed."""

    def __init__(self, accepted: Accepted = Accepted.OPEN, manifest: Mapping[str, str] | None = None) -> None:
        self._accepted = accepted
        self._manifest = manifest or {}

    def find(self, request: OperationRequest) -> tuple[str, bool]:
        """Return the text of a request's document, and whether it is in the manifest; raise `RequestRefusedError`."""
        text = request.text
        if text is None:
            found = self._manifest.get(request.document_id or "")
            if found is None:
                message = _NOT_SUPPORTED if self._accepted is Accepted.OPEN else _NOT_FOUND
                raise RequestRefusedError("document_not_found", [message])
            return found, True
        # The hash of each request's text would take longer than the look-up of its plan.
        digest = digest_of(text) if request.document_id or self._accepted is Accepted.TRUSTED else ""
        if request.document_id not in {None, digest}:
            raise RequestRefusedError(
                "document_id_mismatch", ["The id of the document is not the SHA-256 of the query."]
            )
        trusted = digest in self._manifest
        if self._accepted is Accepted.TRUSTED and not trusted:
            message = "This server executes only the documents that its operator has registered."
            raise RequestRefusedError("document_not_trusted", [message])
        return text, trusted


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
