"""Models of the requests about the inbox."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from server.edge.activity_responses import SHOWN_KINDS, ShownKind
from server.edge.fields import Id
from server.edge.requests import ListQuery, QueryModel, RequestModel
from storage.notifications import NotificationKind

_NAMES = [kind.value for kind in SHOWN_KINDS]
_PATTERN = f"^({'|'.join(_NAMES)})(,({'|'.join(_NAMES)}))*$"


def _separated(text: object) -> object:
    """Return the kinds in a text such as "like,comment"."""
    if not isinstance(text, str):
        return text
    wanted = dict.fromkeys(text.split(","))
    unknown = [name for name in wanted if name not in _NAMES]
    if unknown:
        raise ValueError(
            f"There is no kind {unknown[0][:40]!r}. Use these, separated by commas: {', '.join(sorted(_NAMES))}."
        )
    return tuple(wanted)


def _shown(kinds: list[NotificationKind]) -> list[NotificationKind]:
    for kind in kinds:
        if kind not in SHOWN_KINDS:
            raise ValueError(f"Notifications are not listed under the kind {kind.value!r}. Use {kind.shown.value!r}.")
    return kinds


# In place, because parameters refer to no component of the document.
Kinds = Annotated[
    tuple[NotificationKind, ...], BeforeValidator(_separated), WithJsonSchema({"type": "string", "pattern": _PATTERN})
]


class NotificationsQuery(ListQuery):
    """A page of the inbox, of all kinds or of `kinds` alone, separated by commas."""

    kinds: Kinds | None = None


class ReadNotificationsQuery(QueryModel):
    """The notifications to delete: those that are read, up to the position `up_to`, of `kinds` alone.

    `read=true` is required, so that no request deletes unread ones by omission.
    """

    read: Literal["true"]
    up_to: Id | None = None
    kinds: Kinds | None = None


class NotificationSelection(RequestModel):
    """A selection of notifications; without `ids`, all of them, and without `kinds`, those of all kinds.

    With `up_to`, the greatest `position` that was shown, notifications with later activities are left alone.
    """

    ids: Annotated[list[Id], Field(max_length=100)] | None = None
    up_to: Id | None = None
    kinds: Annotated[list[ShownKind], AfterValidator(_shown)] | None = None
