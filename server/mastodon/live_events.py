"""Live publications as events of this interface: `update`, `status.update`, `delete` and `notification`.

The event of a photo is the same for all who receive it, and is made once for all connections of the process.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from server.mastodon.notifications import NotificationReader
from server.mastodon.rendering import Renderer
from storage.errors import NotFoundError
from storage.ids import decode

SHARED = 256  # events that are kept for further connections


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveEvent:
    """An event, its payload, and what streams choose it by: the author and the tags of a photo."""

    name: str
    payload: bytes
    author_id: int | None = None
    tags: frozenset[str] = field(default_factory=frozenset)


class LiveEvents:
    """Makes events from publications; raises what the stores raise."""

    def __init__(self, renderer: Renderer, notifications: NotificationReader) -> None:
        self._renderer = renderer
        self._notifications = notifications
        self._shared: OrderedDict[tuple[int, bytes], asyncio.Future[LiveEvent | None]] = OrderedDict()

    async def of_photo(self, document: bytes) -> LiveEvent | None:
        """Return the event of a publication of the home feed or the public photos; None if there is none for it."""
        return await self._once((0, document), lambda: self._photo(document))

    async def of_notification(self, document: bytes, viewer_id: int) -> LiveEvent | None:
        """Return the event of a publication of a user's inbox; None for one that is no news, or not known to apps."""
        return await self._once((viewer_id, document), lambda: self._notification(document, viewer_id))

    async def _once(self, key: tuple[int, bytes], make: Callable[[], Awaitable[LiveEvent | None]]) -> LiveEvent | None:
        made = self._shared.get(key)
        if made is None:
            # A task, which goes on for the other connections when the one that began it ends.
            made = self._shared[key] = asyncio.ensure_future(make())
            if len(self._shared) > SHARED:
                self._shared.popitem(last=False)
        try:
            return await asyncio.shield(made)
        except Exception:
            # Not kept: the next connection tries again.
            self._shared.pop(key, None)
            raise

    async def _photo(self, document: bytes) -> LiveEvent | None:
        publication: dict[str, Any] = orjson.loads(document)
        if publication["type"] == "photo.removed":
            return LiveEvent(name="delete", payload=str(decode(publication["photo_id"])).encode())
        if publication["type"] == "photo.edited":
            # The publication has what was edited, which a replica may not have yet.
            found = await self._renderer.stored(decode(publication["photo_id"]))
            photo = None if found is None else {**found, **_edited(publication)}
        else:
            photo = publication.get("photo")
        if photo is None:
            return None
        (status,) = await self._renderer.parsed([photo], None)
        return LiveEvent(
            name="update" if publication["type"] == "photo.new" else "status.update",
            payload=orjson.dumps(status),
            author_id=decode(photo["author"]["id"]),
            tags=frozenset(tag["name"] for tag in status["tags"]),
        )

    async def _notification(self, document: bytes, viewer_id: int) -> LiveEvent | None:
        publication: dict[str, Any] = orjson.loads(document)
        if publication["type"] != "notification":
            return None
        try:
            entry = await self._notifications.at(viewer_id, decode(publication["notification"]["position"]))
        except NotFoundError:
            # It has changed or was deleted meanwhile, which has a publication of its own.
            return None
        rendered = await self._notifications.render([entry], viewer_id)
        return LiveEvent(name="notification", payload=orjson.dumps(rendered[0])) if rendered else None


def _edited(publication: Mapping[str, Any]) -> dict[str, Any]:
    # Its pictures have less than those of a photo.
    return {name: value for name, value in publication.items() if name not in {"type", "photo_id", "items"}}
