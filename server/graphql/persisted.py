"""Persisted documents: find the document of a request, and refuse those that are not accepted."""

from __future__ import annotations

from collections.abc import Mapping

from server.graphql.errors import RequestRefusedError
from server.graphql.manifest import Accepted, digest_of
from server.graphql.requests import OperationRequest

# Apollo's clients know these messages: after the first they send the document, after the second always.
_NOT_FOUND = "PersistedQueryNotFound"
_NOT_SUPPORTED = "PersistedQueryNotSupported"


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
