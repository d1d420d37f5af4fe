"""What one device shows, made from what it was told, as a correct client makes it; and what must never happen to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FEED, NOTIFICATIONS = "feed", "notifications"
STREAMS = (FEED, NOTIFICATIONS)
Document = Mapping[str, Any]


@dataclass
class Stream:
    """Where a stream stands; `reading` counts the times that it had to be read anew, `since` what came since then."""

    epoch: str = ""
    offset: int = 0
    reading: int = 0
    stale: bool = False
    since: list[Document] = field(default_factory=list)


class View:
    """The photos and notifications of one device; `faults` says in words what broke the promise."""

    def __init__(self) -> None:
        self.photos: set[str] = set()
        self.removed: set[str] = set()
        self.notes: dict[str, Document] = {}
        self.streams = {name: Stream() for name in STREAMS}
        self.faults: list[str] = []
        self._announced: set[tuple[str, str]] = set()

    @property
    def stale(self) -> list[str]:
        """Return which streams have to be read anew."""
        return [name for name, stream in self.streams.items() if stream.stale]

    def positions(self) -> dict[str, Document]:
        """Return what a connect command hands in."""
        return {
            name: {"recover": True, "epoch": stream.epoch, "offset": stream.offset}
            for name, stream in self.streams.items()
            if stream.epoch
        }

    def begin(self, name: str, result: Document) -> str:
        """Take a stream's part of a connect result; return "new", "recovered" or "gap"."""
        stream = self.streams[name]
        if result.get("recovered"):
            if result["epoch"] != stream.epoch:
                self.faults.append(f"{name}: recovered from epoch {stream.epoch} into {result['epoch']}")
            for publication in result["publications"]:
                self.apply(name, publication)
            if result["offset"] < stream.offset:
                self.faults.append(f"{name}: recovered up to {result['offset']}, which is before {stream.offset}")
            stream.offset = result["offset"]
            return "recovered"
        outcome = "gap" if stream.epoch else "new"
        stream.epoch, stream.offset = result["epoch"], result["offset"]
        stream.stale, stream.reading, stream.since = True, stream.reading + 1, []
        self._announced = {item for item in self._announced if item[0] != name}
        return outcome

    def apply(self, name: str, publication: Document) -> None:
        """Take one publication."""
        stream, offset, document = self.streams[name], publication["offset"], publication["data"]
        if offset <= stream.offset:
            self.faults.append(f"{name}: offset {offset} after {stream.offset}, {document['type']}")
        stream.offset = offset
        if document["type"] == "photo.new":
            photo = document["photo"]["id"]
            if (name, photo) in self._announced:
                self.faults.append(f"{name}: photo {photo} was announced twice")
            self._announced.add((name, photo))
        if stream.stale:
            stream.since.append(document)
        self._show(document)

    def replace(self, name: str, items: Sequence[Document], reading: int) -> bool:
        """Take what the API answered; False when the stream had to be read anew meanwhile once more."""
        stream = self.streams[name]
        if reading != stream.reading:
            return False
        if name == FEED:
            self.photos = {item["id"] for item in items}
        else:
            self.notes = {item["id"]: item for item in items}
        # What came live meanwhile may be missing in the answer.
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
            case "notification":
                self.notes[document["notification"]["id"]] = document["notification"]
            case "notification.removed":
                self.notes.pop(document["notification_id"], None)
                self.removed.add(document["notification_id"])
            case other:
                self.faults.append(f"a publication of type {other}")
