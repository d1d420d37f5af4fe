"""How messages stand in a streaming answer: a line each, an event each, or each behind its length."""

from __future__ import annotations

import orjson

from channels.protocol.codec import Codec
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codes import Disconnect
from channels.protocol.messages import Command, Message, disconnect_push


class LineFormat:
    """JSON, one message a line (centrifuge-js, "http_stream")."""

    name = "http-stream-json"
    content_type = "application/json"
    closes_by_frame = False

    def __init__(self) -> None:
        self._codec = JsonCodec()

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of a request's body; raise `BadFrameError`."""
        return self._codec.decode(_text(data))

    def encode(self, message: Message) -> bytes:
        """Return a message as a line."""
        return self._codec.encode(message) + b"\n"

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the push that says why the stream ends."""
        return self.encode(disconnect_push(disconnect))


class EventFormat(LineFormat):
    """JSON, each message an event (centrifuge-js, "sse")."""

    name = "sse-json"
    content_type = "text/event-stream"

    def encode(self, message: Message) -> bytes:
        """Return a message as an event (HTML Living Standard, section 9.2); JSON has no line breaks."""
        return b"data: " + self._codec.encode(message) + b"\n\n"


class DelimitedFormat:
    """A codec whose messages stand behind their lengths, one after the other (Protobuf)."""

    content_type = "application/octet-stream"
    closes_by_frame = False

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.name = f"http-stream-{codec.name.rpartition('-')[2]}"

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of a request's body; raise `BadFrameError`."""
        return self._codec.decode(data)

    def encode(self, message: Message) -> bytes:
        """Return a message behind its length."""
        return self._codec.encode(message)

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the push that says why the stream ends."""
        return self.encode(disconnect_push(disconnect))


class DocumentFormat:
    """Documents alone, each an event named for its channel: for `curl` and `EventSource`, which say nothing."""

    name = "sse-documents"
    content_type = "text/event-stream"
    closes_by_frame = False

    def decode(self, data: bytes | str) -> list[Command]:
        """Return what the endpoint itself says for the client."""
        return JsonCodec().decode(_text(data))

    def encode(self, message: Message) -> bytes:
        """Return a publication as an event; a ping, and whatever else is protocol, as a comment."""
        push = message.get("push", {})
        if "pub" in push:
            return event(push["channel"], bytes(push["pub"]["data"].data))
        return b":\n\n"

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the event that says why the stream ends."""
        return event("disconnect", orjson.dumps({"code": disconnect.code, "reason": disconnect.reason}))


def event(name: str, data: bytes) -> bytes:
    """Return an event with a name; `data` is one line."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode(errors="replace")
