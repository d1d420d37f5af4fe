"""Wire formats of HTTP streaming: one message per line, per event, or prefixed with its length."""

from __future__ import annotations

import orjson

from channels.protocol.codec import Codec
from channels.protocol.codec_json import JsonCodec
from channels.protocol.codes import Disconnect
from channels.protocol.messages import Command, Message, disconnect_push


class LineFormat:
    """JSON, one message per line (centrifuge-js, "http_stream")."""

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
        """Return the disconnect push."""
        return self.encode(disconnect_push(disconnect))


class EventFormat(LineFormat):
    """JSON, one message per event (centrifuge-js, "sse")."""

    name = "sse-json"
    content_type = "text/event-stream"

    def encode(self, message: Message) -> bytes:
        """Return a message as an event (HTML Living Standard, section 9.2); JSON has no line breaks."""
        return b"data: " + self._codec.encode(message) + b"\n\n"


class DelimitedFormat:
    """A codec whose messages are prefixed with their lengths (Protobuf)."""

    content_type = "application/octet-stream"
    closes_by_frame = False

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.name = f"http-stream-{codec.name.rpartition('-')[2]}"

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of a request's body; raise `BadFrameError`."""
        return self._codec.decode(data)

    def encode(self, message: Message) -> bytes:
        """Return a message, prefixed with its length."""
        return self._codec.encode(message)

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the disconnect push."""
        return self.encode(disconnect_push(disconnect))


class DocumentFormat:
    """Documents alone, each an event named after its channel, for `curl` and `EventSource`, which send no commands."""

    name = "sse-documents"
    content_type = "text/event-stream"
    closes_by_frame = False

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands that the endpoint sends on behalf of the client."""
        return JsonCodec().decode(_text(data))

    def encode(self, message: Message) -> bytes:
        """Return a publication as an event, and any other message, such as a ping, as a comment."""
        push = message.get("push", {})
        if "pub" in push:
            return event(push["channel"], bytes(push["pub"]["data"].data))
        return b":\n\n"

    def close_message(self, disconnect: Disconnect) -> bytes:
        """Return the disconnect event."""
        return event("disconnect", orjson.dumps({"code": disconnect.code, "reason": disconnect.reason}))


def event(name: str, data: bytes) -> bytes:
    """Return a named event; `data` must not contain line breaks."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode(errors="replace")
