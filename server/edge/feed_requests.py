"""Models of the queries of feeds."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from server.edge.requests import ID_PATTERN, ListQuery
from storage import ids

_LIST = "list:"
_SOURCE_PATTERN = f"^(?:home|tags|{_LIST}{ID_PATTERN.strip('^$')})$"


def _source(text: str) -> str:
    if text.startswith(_LIST):
        ids.decode(text.removeprefix(_LIST))
    elif text not in {"home", "tags"}:
        raise ValueError(f"This should be home, tags, or {_LIST} and the id of one of your lists.")
    return text


class FeedQuery(ListQuery):
    """A page of the home feed, of the photos with the followed tags, or of those of the accounts in a list."""

    source: Annotated[str, AfterValidator(_source), WithJsonSchema({"type": "string", "pattern": _SOURCE_PATTERN})] = (
        "home"
    )

    @property
    def list_id(self) -> int | None:
        """Return the id of the list whose photos are requested, or None for another source."""
        return ids.decode(self.source.removeprefix(_LIST)) if self.source.startswith(_LIST) else None
