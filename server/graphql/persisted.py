"""Persisted documents: find the document of a request, and refuse those that are not accepted."""

from __future__ import annotations

from server.graphql.errors import RequestRefusedError
from server.graphql.manifest import AcceptedDocuments, digest_of
from server.graphql.requests import OperationRequest

# Apollo's clients know these messages: after the first they send the document, after the second always.
_NOT_FOUND = "PersistedQueryNotFound"
_NOT_SUPPORTED = "PersistedQueryNotSupported"


class PersistedDocuments:
    """The documents of the manifest, and whether others are executed."""

    def __init__(self, accepted: AcceptedDocuments) -> None:
        self._manifest = accepted.manifest
        self._trusted_only = accepted.trusted

    def find(self, request: OperationRequest) -> tuple[str, bool]:
        """Return the text of a request's document, and whether it is in the manifest; raise `RequestRefusedError`."""
        text = request.text
        if text is None:
            found = self._manifest.get(request.document_id or "")
            if found is None:
                message = _NOT_FOUND if self._trusted_only else _NOT_SUPPORTED
                raise RequestRefusedError("document_not_found", [message])
            return found, True
        # The hash of each request's text would take longer than the look-up of its plan.
        digest = digest_of(text) if request.document_id or self._trusted_only else ""
        if request.document_id not in {None, digest}:
            raise RequestRefusedError(
                "document_id_mismatch", ["The id of the document is not the SHA-256 of the query."]
            )
        trusted = digest in self._manifest
        if self._trusted_only and not trusted:
            message = "This server executes only the documents that its operator has registered."
            raise RequestRefusedError("document_not_trusted", [message])
        return text, trusted
