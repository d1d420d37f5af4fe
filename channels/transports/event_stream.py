"""A connection that only listens: publications as named events, each with an id from which a client goes on."""

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

_ID = re.compile("-".join(r"(\w{1,32})\.(\d{1,16})" for _ in STREAMS), re.ASCII)


def parse_event_id(text: str) -> dict[str, Position] | None:
    """Return the streams' positions that an event's id stands for; None for what is no id of ours."""
    match = _ID.fullmatch(text)
    if match is None:
        return None
    parts = match.groups()
    return {
        name: Position(epoch=parts[2 * number], offset=int(parts[2 * number + 1]))
        for number, name in enumerate(STREAMS)
    }


def event_id(positions: dict[str, Position]) -> str:
    """Return the id that stands for positions in all streams."""
    return "-".join(f"{positions[name].epoch}.{positions[name].offset}" for name in STREAMS)


class EventStream(Connection):
    """Tell publications in the order of each stream; an event's id counts every stream, since clients keep one id."""

    __slots__ = ("positions",)

    positions: dict[str, Position]

    def send(self, message: Message) -> None:
        """Turn the answer to connecting into events; whatever else is protocol is not told."""
        if "connect" in message:
            self._begin(message["connect"]["subs"])
        elif "error" in message:
            # The client knows no error replies, but it comes back by itself when the stream ends.
            self.close(codes.SERVER_ERROR)
        else:
            super().send(message)

    def send_shared(self, message: SharedMessage) -> None:
        """Tell a publication with its id, anything else as it is."""
        publication = message.message.get("push", {}).get("pub")
        if publication is not None:
            self._move(message.message["push"]["channel"], publication.get("offset", 0))
            self.put(b"id: %b\n" % event_id(self.positions).encode())
        super().send_shared(message)

    def accepts(self, stream: str, offset: int, message: SharedMessage) -> bool:
        """Tell a new publication itself, with its id, so that nobody else sends it."""
        if super().accepts(stream, offset, message):
            self.send_shared(message)
        return False

    def _begin(self, subs: Message) -> None:
        """Tell what was missed, oldest first, then that the stream stands and where."""
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
            self._note("gap", {"channel": name})
        self._note("ready", {"channels": list(subs)})

    def _note(self, name: str, data: Message) -> None:
        self.put(b"id: %b\n%b" % (event_id(self.positions).encode(), event(name, orjson.dumps(data))))

    def _move(self, stream: str, offset: int) -> None:
        position = self.positions.get(stream)
        if position is not None and offset:
            self.positions[stream] = Position(epoch=position.epoch, offset=offset)
