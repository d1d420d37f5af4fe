"""MessagePack: a binary frame of concatenated maps with the field names of the JSON form.

Documents are native MessagePack values rather than JSON in a string, which makes the format compact.
"""

from __future__ import annotations

import msgpack
import orjson

from channels.protocol.codec import MAX_COMMANDS, BadFrameError, parse_command
from channels.protocol.messages import Command, Message, RawJson


class MsgpackCodec:
    """The protocol as MessagePack."""

    name = "picshare-msgpack"
    binary = True
    pong = b"\x80"

    def decode(self, data: bytes | str) -> list[Command]:
        """Return the commands of one binary frame; raise `BadFrameError`."""
        if not isinstance(data, bytes | bytearray) or not data:
            raise BadFrameError("MessagePack requires binary frames that are not empty")
        # A buffer as large as the frame also bounds every declared length within it.
        unpacker = msgpack.Unpacker(max_buffer_size=len(data))
        unpacker.feed(data)
        commands: list[Command] = []
        # Bytes of complete maps, updated after each map: at the end, the unpacker also counts a truncated one as read.
        read = 0
        try:
            for value in unpacker:
                commands.append(parse_command(value))
                if len(commands) > MAX_COMMANDS:
                    raise BadFrameError(f"more than {MAX_COMMANDS} commands")
                read = unpacker.tell()
        except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
            raise BadFrameError("not MessagePack") from error
        if read != len(data):
            raise BadFrameError("the last map is truncated")
        return commands

    def encode(self, message: Message) -> bytes:
        """Return one message as a map."""
        return bytes(msgpack.packb(message, default=_embed))


def _embed(value: object) -> object:
    if isinstance(value, RawJson):
        return orjson.loads(value.data)
    raise TypeError(f"{type(value).__name__} is not part of the protocol")
