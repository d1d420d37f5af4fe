"""A publication with the same bytes in every wire format."""

from __future__ import annotations

from typing import cast

from channels.connection.wire_format import SharedMessage, WireFormat


class Message:
    """A message with the same bytes in every wire format."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def encoded_for(self, _form: WireFormat) -> bytes:
        """Return the bytes."""
        return self._data


def message(data: bytes) -> SharedMessage:
    """Return such a message in place of a publication."""
    return cast(SharedMessage, Message(data))
