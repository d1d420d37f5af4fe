"""JSON: a text frame of one or more objects joined by newlines, in both directions."""

from __future__ import annotations

import orjson

from channels.protocol.codec import MAX_COMMANDS, BadFrameError, parse_command
from channels.protocol.messages import Command, Message, RawJson


class JsonCodec:
    """The protocol as JSON text."""

    name = "centrifuge-json"
    binary = False
    pong = b"{}"

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one text frame; raise `BadFrameError`."""
        if not isinstance(data, str):
            raise BadFrameError("JSON requires text frames")
        lines = data.strip("\n").split("\n", MAX_COMMANDS)
        if len(lines) > MAX_COMMANDS:
            raise BadFrameError(f"more than {MAX_COMMANDS} commands")
        try:
            return [parse_command(orjson.loads(line)) for line in lines]
        except orjson.JSONDecodeError as error:
            raise BadFrameError("not JSON") from error

    def encode(self, message: Message) -> bytes:
        """Return one message as a line of JSON."""
        return orjson.dumps(message, default=_embed)


def _embed(value: object) -> orjson.Fragment:
    if isinstance(value, RawJson):
        return orjson.Fragment(value.data)
    raise TypeError(f"{type(value).__name__} is not part of the protocol")
