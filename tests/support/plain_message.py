"""A publication that looks the same in every form."""

from __future__ import annotations

from typing import cast

from channels.connection.wire_format import SharedMessage, WireFormat


class Message:
    """A message that is the same in every form."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def encoded_for(self, _form: WireFormat) -> bytes:
        """Return it."""
        return self._data


def message(data: bytes) -> SharedMessage:
    """Return what stands for a publication."""
    return cast(SharedMessage, Message(data))
