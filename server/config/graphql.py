"""The section `[graphql]`: which documents are executed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from server.config.section import Section


class GraphqlSection(Section):
    """The GraphQL interface, at `/graphql`."""

    documents: Literal["open", "trusted"] = Field(
        default="open",
        description="`open` executes every valid document within the limits; `trusted` only those of the manifest.",
    )
    manifest: Path | None = Field(
        default=None,
        description="File of documents that clients may name by their SHA-256, as `picshare graphql manifest` writes "
        "it. Read when a process starts.",
    )

    @model_validator(mode="after")
    def _has_a_manifest(self) -> Self:
        if self.documents == "trusted" and self.manifest is None:
            raise ValueError('documents = "trusted" needs a manifest: without one no document would be executed')
        return self
