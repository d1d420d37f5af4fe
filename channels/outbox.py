"""The one writer of a connection: messages gather and leave in one write, and nobody waits for the peer.

What the peer has not taken lies in the transport's buffer. Its size is bounded by the transport itself, which
tells the connection's protocol (`pause_writing`) when more lies there than the peer has room for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import Any, Protocol

from channels.form import Form, SharedMessage
from channels.protocol import codes
from channels.protocol.codes import Disconnect

_SLICE = 2000  # outboxes written in one turn of the event loop: some five milliseconds


class Transport(Protocol):
    """What of `asyncio.Transport` a connection uses."""

    def write(self, data: bytes) -> None:
        """Send, or keep what the peer does not take at once."""
        ...

    def get_write_buffer_size(self) -> int:
        """Return the bytes kept."""
        ...

    def get_extra_info(self, name: str, /) -> Any:
        """Return its `socket`, or its `sslcontext` where it encrypts, or None."""
        ...

    def is_closing(self) -> bool:
        """Tell whether writing is over."""
        ...

    def pause_reading(self) -> None:
        """Let what the peer sends wait."""
        ...

    def resume_reading(self) -> None:
        """Take what the peer sends."""
        ...

    def close(self) -> None:
        """End the connection once what is kept was taken."""
        ...

    def abort(self) -> None:
        """Drop the connection and what is kept."""
        ...


# What stands in an outbox that is closed: nothing is gathered there any more.
_CLOSED: list[bytes] = []

# The numbers of descriptors lie side by side in memory, in the order in which connections come: scattered, each would
# cost a delivery to thousands a cache miss.
_numbers: list[int] = []


class Departures:
    """Write what outboxes gathered at the end of this turn of the event loop; tell how many messages left.

    `patience` is how many seconds a peer has to take a farewell before the transport is aborted.
    """

    def __init__(self, left: Callable[[int], None], *, patience: float) -> None:
        self._left = left
        self._due: list[Outbox] = []
        self.patience = patience

    def add(self, outbox: Outbox) -> None:
        """Have an outbox flushed soon."""
        if not self._due:
            asyncio.get_running_loop().call_soon(self._flush)
        self._due.append(outbox)

    def send_to_all(self, outboxes: Collection[Outbox], message: SharedMessage, *, more: bool = False) -> None:
        """Send one message to many: what the delivery of a live publication comes down to, so it does little.

        It leaves at once, unless `more` follows, with which it is gathered into one write.
        """
        rest = iter(outboxes)
        if not more:
            kept = self._send_now(islice(rest, _SLICE), message)
            self.count(min(len(outboxes), _SLICE) - kept)
        due, form, data = self._due, None, b""
        scheduled = bool(due)
        for outbox in rest:
            if outbox.form is not form:
                form = outbox.form
                data = message.encoded_for(form)
            if outbox.pending is None:
                outbox.pending, outbox.fileno = data, -1
                due.append(outbox)
            else:
                outbox.put(data)
        if due and not scheduled:
            asyncio.get_running_loop().call_soon(self._flush)

    def _send_now(self, outboxes: Iterable[Outbox], message: SharedMessage) -> int:
        """Return for how many it did not leave: it waits behind others, or their connection has ended."""
        form, data, size, kept, write = None, b"", 0, 0, os.write
        for outbox in outboxes:
            if outbox.form is not form:
                form = outbox.form
                data = message.encoded_for(form)
                size = len(data)
            fileno = outbox.fileno
            if fileno >= 0:
                try:
                    taken = write(fileno, data)
                except BlockingIOError:
                    taken = 0
                except OSError:
                    outbox.broken()
                    kept += 1
                    continue
                if taken != size:
                    outbox.keep(data[taken:])
            elif outbox.pending is None:
                outbox.write(data)
            else:
                outbox.put(data)
                kept += 1
        return kept

    def _flush(self) -> None:
        due, self._due = self._due, []
        if len(due) > _SLICE:
            # The rest leaves in the next turns, so that whatever else is due need not wait for all of it.
            due, self._due = due[:_SLICE], due[_SLICE:]
            asyncio.get_running_loop().call_soon(self._flush)
        self.count(sum(outbox.flush() for outbox in due))

    def count(self, messages: int) -> None:
        """Tell of messages that have left."""
        self._left(messages)


class _Touched:
    """What a delivery touches, first in the object and so beside its reference count: a cache miss less."""

    __slots__ = ("fileno", "form", "pending")


class Outbox(_Touched):
    """Gather messages for one transport, in one form; after `close` nothing more is written."""

    __slots__ = ("_closed_with", "_departures", "_socket", "transport")

    def __init__(self, form: Form, transport: Transport, departures: Departures) -> None:
        self.form = form
        self.transport = transport
        self._socket = descriptor_of(transport)
        # Where to write at once; negative while something has to leave before, or only the transport may write.
        self.fileno = -1
        self._closed_with: Disconnect | None = None
        self._departures = departures
        # Nearly always there is one at most, so a list is made only for the second.
        self.pending: bytes | list[bytes] | None = None

    @property
    def closed_with(self) -> Disconnect | None:
        """Return how this side closed the connection, or None."""
        return self._closed_with

    def put(self, data: bytes) -> None:
        """Send an encoded message, together with what else is due in this turn of the event loop."""
        pending = self.pending
        if pending is None:
            self.pending, self.fileno = data, -1
            self._departures.add(self)
        elif pending is _CLOSED:
            pass
        elif isinstance(pending, list):
            pending.append(data)
        else:
            self.pending = [pending, data]

    def write(self, data: bytes) -> None:
        """Write now, behind what the transport still holds."""
        if self.fileno < 0 and (self._socket < 0 or self.transport.get_write_buffer_size()):
            self.transport.write(data)
            return
        self.fileno = self._socket
        try:
            taken = os.write(self.fileno, data)
        except BlockingIOError:
            taken = 0
        except OSError:
            self.broken()
            return
        if taken != len(data):
            self.keep(data[taken:])

    def keep(self, data: bytes) -> None:
        """Leave to the transport what the socket did not take."""
        self.fileno = -1
        self.transport.write(data)

    def broken(self) -> None:
        """Write nothing any more to a socket that has failed.

        Who reads from it learns of that in its turn, and ends the connection. Of ten thousand at once the event loop's
        own transports would end all in the same turn.
        """
        self.gone(codes.NORMAL)
        asyncio.get_running_loop().call_later(self._departures.patience, self.transport.abort)

    def flush(self) -> int:
        """Write what was gathered in one go; return how many messages these were."""
        pending = self.pending
        if pending is None or pending is _CLOSED:
            return 0
        self.pending = None
        messages = 1
        if isinstance(pending, list):
            messages, pending = len(pending), b"".join(pending)
        self.write(pending)
        return messages

    def close(self, disconnect: Disconnect) -> None:
        """Write what was gathered and then the farewell; a second close changes nothing."""
        if self._closed_with is not None:
            return
        self._departures.count(self.flush())
        self.gone(disconnect)
        if not self.transport.is_closing():
            self.transport.write(self.form.farewell(disconnect))
            if not self.form.closes_by_frame:
                self.transport.close()
        # Never cancelled: a transport that has ended does not mind, one that cannot flush must end.
        asyncio.get_running_loop().call_later(self._departures.patience, self.transport.abort)

    def gone(self, disconnect: Disconnect) -> None:
        """Write nothing any more, and keep how it ended, unless that is known; also where the transport went first."""
        self._closed_with = self._closed_with or disconnect
        self.pending, self.fileno = _CLOSED, -1


def descriptor_of(transport: Transport) -> int:
    """Return the socket's file descriptor, or -1 where only the transport may read and write.

    asyncio closes it after it has told of the lost connection, and not before.
    """
    socket = transport.get_extra_info("socket")
    if socket is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    number = int(socket.fileno())
    if number >= len(_numbers):
        _numbers.extend(range(len(_numbers), number + 1024))
    return _numbers[number]
