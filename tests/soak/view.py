"""The state of one device, as a correct client derives it from publications, and the violations of the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FEED, NOTIFICATIONS = "feed", "notifications"
STREAMS = (FEED, NOTIFICATIONS)
Document = Mapping[str, Any]


@dataclass
class Stream:
    """The position in a stream; `refetches` counts required refetches, `since` has the publications since the last."""

    epoch: str = ""
    offset: int = 0
    refetches: int = 0
    stale: bool = False
    since: list[Document] = field(default_factory=list)


class View:
    """The photos and notifications of one device; `violations` describes every violation of the protocol."""

    def __init__(self) -> None:
        self.photos: set[str] = set()
        self.removed: set[str] = set()
        self.notifications: dict[str, Document] = {}
        self.streams = {name: Stream() for name in STREAMS}
        self.violations: list[str] = []
        self._announced: set[tuple[str, str]] = set()

    @property
    def stale(self) -> list[str]:
        """Return the streams that have to be refetched."""
        return [name for name, stream in self.streams.items() if stream.stale]

    def positions(self) -> dict[str, Document]:
        """Return the positions for a connect command."""
        return {
            name: {"recover": True, "epoch": stream.epoch, "offset": stream.offset}
            for name, stream in self.streams.items()
            if stream.epoch
        }

    def begin(self, name: str, result: Document) -> str:
        """Apply a stream's part of a connect result; return "new", "recovered" or "gap"."""
        stream = self.streams[name]
        if result.get("recovered"):
            if result["epoch"] != stream.epoch:
                self.violations.append(f"{name}: recovered from epoch {stream.epoch} into {result['epoch']}")
            for publication in result["publications"]:
                self.apply(name, publication)
            if result["offset"] < stream.offset:
                self.violations.append(f"{name}: recovered up to {result['offset']}, which is before {stream.offset}")
            stream.offset = result["offset"]
            return "recovered"
        outcome = "gap" if stream.epoch else "new"
        stream.epoch, stream.offset = result["epoch"], result["offset"]
        stream.stale, stream.refetches, stream.since = True, stream.refetches + 1, []
        self._announced = {item for item in self._announced if item[0] != name}
        return outcome

    def apply(self, name: str, publication: Document) -> None:
        """Apply a publication."""
        stream, offset, document = self.streams[name], publication["offset"], publication["data"]
        if offset <= stream.offset:
            self.violations.append(f"{name}: offset {offset} after {stream.offset}, {document['type']}")
        stream.offset = offset
        if document["type"] == "photo.new":
            photo = document["photo"]["id"]
            if (name, photo) in self._announced:
                self.violations.append(f"{name}: photo {photo} was announced twice")
            self._announced.add((name, photo))
        if stream.stale:
            stream.since.append(document)
        self._show(document)

    def replace(self, name: str, items: Sequence[Document], refetches: int) -> bool:
        """Apply a response of the API; return False if the stream needs another refetch since the request."""
        stream = self.streams[name]
        if refetches != stream.refetches:
            return False
        if name == FEED:
            self.photos = {item["id"] for item in items}
        else:
            self.notifications = {item["id"]: item for item in items}
        # Publications that arrived during the request may be missing in the response.
        for document in stream.since:
            self._show(document)
        stream.stale, stream.since = False, []
        return True

    def _show(self, document: Document) -> None:
        match document["type"]:
            case "photo.new":
                self.photos.add(document["photo"]["id"])
            case "photo.removed":
                self.photos.discard(document["photo_id"])
                self.removed.add(document["photo_id"])
            case "notification" | "notification.changed":
                self.notifications[document["notification"]["id"]] = document["notification"]
            case "notification.removed":
                self.notifications.pop(document["notification_id"], None)
                self.removed.add(document["notification_id"])
            case other:
                self.violations.append(f"a publication of type {other}")
