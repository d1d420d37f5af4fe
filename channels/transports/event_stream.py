"""A receive-only connection (EventSource): publications as named events with ids from which a client resumes.

An event id is `<positions>`, or `<positions>-<key>` for a stream that was opened with a ticket. The key is a secret
that the client sends back only in `Last-Event-ID`, so a URL from a log does not contain it. `<key>` alone is the id
before the first event.
"""

from __future__ import annotations

import re

import orjson

from channels.connection.connection import Connection
from channels.connection.stream_state import STREAMS
from channels.connection.wire_format import SharedMessage
from channels.contract.ports import Position, Publication
from channels.protocol import codes
from channels.protocol.messages import Message, publication_push
from channels.transports.stream_formats import event

_POSITIONS = re.compile("-".join(r"(\w{1,32})\.(\d{1,16})" for _ in STREAMS), re.ASCII)
_KEY = re.compile(r"(?:(?P<positions>.+)-)?(?P<key>[0-9a-f]{32})", re.ASCII)  # positions end with ".<offset>"


def parse_event_id(text: str) -> dict[str, Position] | None:
    """Return the positions encoded in an event id ({} if it has none), or None if it is not one of this service."""
    keyed = _KEY.fullmatch(text)
    if keyed is not None:
        if keyed["positions"] is None:
            return {}
        text = keyed["positions"]
    match = _POSITIONS.fullmatch(text)
    if match is None:
        return None
    parts = match.groups()
    return {
        name: Position(epoch=parts[2 * number], offset=int(parts[2 * number + 1]))
        for number, name in enumerate(STREAMS)
    }


def key_of_event_id(text: str) -> str | None:
    """Return the key in an event id, or None if it has none."""
    keyed = _KEY.fullmatch(text)
    return None if keyed is None else keyed["key"]


def event_id(positions: dict[str, Position], key: str = "") -> str:
    """Return the event id that encodes the positions of all streams, and the key if the stream has one."""
    encoded = "-".join(f"{positions[name].epoch}.{positions[name].offset}" for name in STREAMS)
    return f"{encoded}-{key}" if key else encoded


class EventStream(Connection):
    """Connection of an EventSource.

    Each event id encodes the positions of all streams, because a client keeps only the last id.
    """

    __slots__ = ("key", "positions")

    positions: dict[str, Position]
    key: str  # with which the client reconnects, or ""

    def send(self, message: Message) -> None:
        """Translate the reply to connect into events; other protocol messages are not sent."""
        if "connect" in message:
            self._send_missed(message["connect"]["subs"])
        elif "error" in message:
            # An EventSource does not understand error replies, but reconnects by itself when the stream ends.
            self.close(codes.SERVER_ERROR)
        else:
            super().send(message)

    def send_shared(self, message: SharedMessage) -> None:
        """Send a publication with its event id, and anything else as it is."""
        publication = message.message.get("push", {}).get("pub")
        if publication is not None:
            self._advance(message.message["push"]["channel"], publication.get("offset", 0))
            self.put(b"id: %b\n" % event_id(self.positions, self.key).encode())
        super().send_shared(message)

    def accepts(self, stream: str, offset: int, message: SharedMessage) -> bool:
        """Send a new publication with its event id; return False, so that the hub does not send it again."""
        if super().accepts(stream, offset, message):
            self.send_shared(message)
        return False

    def _send_missed(self, subs: Message) -> None:
        """Send the missed publications, oldest first, then the gaps, then the `ready` event."""
        # Positions advance with each event that is sent: a client that is cut off here resumes after the last one.
        gaps = []
        for name, result in subs.items():
            position = Position(epoch=result["epoch"], offset=result["offset"])
            if result.get("recovered") is False:
                gaps.append(name)
            if not result.get("recovered"):
                self.positions[name] = position
        missed = [(item, name) for name, result in subs.items() for item in result.get("publications", ())]
        for item, name in sorted(missed, key=lambda pair: int(pair[0].get("offset", 0))):
            publication = Publication(data=item["data"].data, offset=item.get("offset", 0))
            self.send_shared(SharedMessage(publication_push(name, publication)))
        for name, result in subs.items():
            self.positions[name] = Position(epoch=result["epoch"], offset=result["offset"])
        for name in gaps:
            self._send_event("gap", {"channel": name})
        self._send_event("ready", {"channels": list(subs)})

    def _send_event(self, name: str, data: Message) -> None:
        self.put(b"id: %b\n%b" % (event_id(self.positions, self.key).encode(), event(name, orjson.dumps(data))))

    def _advance(self, stream: str, offset: int) -> None:
        position = self.positions.get(stream)
        if position is not None and offset:
            self.positions[stream] = Position(epoch=position.epoch, offset=offset)
