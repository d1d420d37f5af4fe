"""Models of the queries of feeds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, WithJsonSchema, field_validator

from server.edge.fields import ID_PATTERN
from server.edge.moments import QueryMoment
from server.edge.requests import ListQuery
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
    """A page of the home feed, of the photos with the followed tags, or of those of the accounts in a list.

    The order of the home feed is newest first or highlights first: those since a time, or since the last visit.
    """

    source: Annotated[str, AfterValidator(_source), WithJsonSchema({"type": "string", "pattern": _SOURCE_PATTERN})] = (
        "home"
    )
    order: Literal["newest", "highlights"] = "newest"
    since: QueryMoment | None = None

    @field_validator("order")
    @classmethod
    def _fits_the_source(cls, order: str, info: ValidationInfo) -> str:
        # A field that is wrong itself is not in `data`.
        if order == "highlights" and info.data.get("source", "home") != "home":
            raise ValueError("Only the home feed (source=home) has this order.")
        return order

    @field_validator("since")
    @classmethod
    def _fits_the_order(cls, since: datetime, info: ValidationInfo) -> datetime:
        if info.data.get("order", "highlights") != "highlights":
            raise ValueError("Only order=highlights begins at a time.")
        return since

    @property
    def is_home_by_time(self) -> bool:
        """Return whether the home feed is requested in the order of time."""
        return self.source == "home" and self.order == "newest"

    @property
    def list_id(self) -> int | None:
        """Return the id of the list whose photos are requested, or None for another source."""
        return ids.decode(self.source.removeprefix(_LIST)) if self.source.startswith(_LIST) else None
