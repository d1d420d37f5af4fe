"""The one writer of a connection: messages gather and leave in one write, and nobody waits for the peer.

What the peer has not taken lies in the transport's buffer. Its size is bounded by the transport itself, which
tells the connection's protocol (`pause_writing`) when more lies there than the peer has room for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable
from itertools import islice

from channels.connection.transport import Transport, descriptor_of
from channels.connection.wire_format import SharedMessage, WireFormat
from channels.protocol import codes
from channels.protocol.codes import Disconnect

_BATCH = 1000  # buffers written in one turn of the event loop: some three milliseconds
_FEW = 100  # buffers that are flushed before a message to very many, so that it need not be gathered


# What stands in an buffer that is closed: nothing is gathered there any more.
_CLOSED: list[bytes] = []


class WriteScheduler:
    """Write what buffers gathered at the end of this turn of the event loop; tell how many messages left.

    A message to very many leaves over several turns. Whatever is gathered meanwhile came after it, and leaves after it.
    `linger` is how many seconds a peer has to take a close_message before the transport is aborted.
    """

    def __init__(self, on_sent: Callable[[int], None], *, linger: float) -> None:
        self._on_sent = on_sent
        self._due: list[WriteBuffer] = []
        # Those whom the message under way has yet to reach, the next one last.
        self._remaining: list[WriteBuffer] = []
        self._message: SharedMessage | None = None
        self._scheduled = False
        self.linger = linger

    def add(self, buffer: WriteBuffer) -> None:
        """Have an buffer flushed soon."""
        self._due.append(buffer)
        self._schedule()

    def send_to_all(self, buffers: Collection[WriteBuffer], message: SharedMessage, *, more: bool = False) -> None:
        """Send one message to many: what the delivery of a live publication comes down to, so it does little.

        It leaves at once, unless `more` follows, with which it is gathered into one write, or much has to leave before.
        """
        number = len(buffers)
        if more or self._remaining or (number > _BATCH and len(self._due) > _FEW):
            self._enqueue(buffers, message)
        elif number <= _BATCH:
            self._send_now(buffers, number, message)
        else:
            self._flush()
            rest = iter(buffers)
            self._send_now(islice(rest, _BATCH), _BATCH, message)
            self._remaining, self._message = list(rest), message
            self._remaining.reverse()
            self._schedule()

    def flush_first(self, buffer: WriteBuffer) -> None:
        """Send an buffer what is under way to it."""
        if self._message is not None and buffer in self._remaining:
            self._remaining.remove(buffer)
            self._send_now((buffer,), 1, self._message, late=True)

    def count_sent(self, messages: int) -> None:
        """Tell of messages that have left."""
        self._on_sent(messages)

    def _enqueue(self, buffers: Iterable[WriteBuffer], message: SharedMessage) -> None:
        due, wire_format, data = self._due, None, b""
        for buffer in buffers:
            if buffer.wire_format is not wire_format:
                wire_format = buffer.wire_format
                data = message.encoded_for(wire_format)
            if buffer.pending is None:
                buffer.pending, buffer.fileno = data, -1
                due.append(buffer)
            else:
                buffer.put(data)
        self._schedule()

    def _send_now(
        self, buffers: Iterable[WriteBuffer], number: int, message: SharedMessage, *, late: bool = False
    ) -> None:
        """Send a message to so many; what they have gathered came before it or, where it is `late`, behind it."""
        wire_format, data, size, kept, write = None, b"", 0, 0, os.write
        for buffer in buffers:
            if buffer.wire_format is not wire_format:
                wire_format = buffer.wire_format
                data = message.encoded_for(wire_format)
                size = len(data)
            fileno = buffer.fileno
            if fileno >= 0:
                try:
                    taken = write(fileno, data)
                except BlockingIOError:
                    taken = 0
                except OSError:
                    buffer.write_failed()
                    kept += 1
                    continue
                if taken != size:
                    buffer.write_later(data[taken:])
            elif buffer.pending is None:
                buffer.write(data)
            else:
                (buffer.put_before if late else buffer.put)(data)
                kept += 1
        self.count_sent(number - kept)

    def _schedule(self) -> None:
        if not self._scheduled and (self._due or self._remaining):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._continue)

    def _continue(self) -> None:
        """Write to some; the rest has its turn later, so that whatever else is due need not wait for all of it."""
        self._scheduled = False
        if self._message is not None:
            some = self._remaining[: -_BATCH - 1 : -1]
            del self._remaining[-_BATCH:]
            self._send_now(some, len(some), self._message, late=True)
            if not self._remaining:
                self._message = None
        else:
            self._flush()
        self._schedule()

    def _flush(self) -> None:
        due, self._due = self._due[:_BATCH], self._due[_BATCH:]
        if due:
            self.count_sent(sum(buffer.flush() for buffer in due))


class _HotFields:
    """What a delivery touches, first in the object and so beside its reference count: a cache miss less."""

    __slots__ = ("fileno", "pending", "wire_format")


class WriteBuffer(_HotFields):
    """Gather messages for one transport, in one form; after `close` nothing more is written."""

    __slots__ = ("_closed_with", "_scheduler", "_socket", "transport")

    def __init__(self, wire_format: WireFormat, transport: Transport, scheduler: WriteScheduler) -> None:
        self.wire_format = wire_format
        self.transport = transport
        self._socket = descriptor_of(transport)
        # Where to write at once; negative while something has to leave before, or only the transport may write.
        self.fileno = -1
        self._closed_with: Disconnect | None = None
        self._scheduler = scheduler
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
            self._scheduler.add(self)
        elif pending is _CLOSED:
            pass
        elif isinstance(pending, list):
            pending.append(data)
        else:
            self.pending = [pending, data]

    def put_before(self, data: bytes) -> None:
        """Send an encoded message before those that are gathered."""
        pending = self.pending
        if isinstance(pending, bytes):
            self.pending = [data, pending]
        elif pending is not None and pending is not _CLOSED:
            pending.insert(0, data)

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
            self.write_failed()
            return
        if taken != len(data):
            self.write_later(data[taken:])

    def write_later(self, data: bytes) -> None:
        """Leave to the transport what the socket did not take."""
        self.fileno = -1
        self.transport.write(data)

    def write_failed(self) -> None:
        """Write nothing any more to a socket that has failed.

        Who reads from it learns of that in its turn, and ends the connection. Of ten thousand at once the event loop's
        own transports would end all in the same turn.
        """
        self.mark_closed(codes.NORMAL)
        asyncio.get_running_loop().call_later(self._scheduler.linger, self.transport.abort)

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
        """Write what was gathered and then the close_message; a second close changes nothing."""
        if self._closed_with is not None:
            return
        self._scheduler.flush_first(self)
        self._scheduler.count_sent(self.flush())
        self.mark_closed(disconnect)
        if not self.transport.is_closing():
            self.transport.write(self.wire_format.close_message(disconnect))
            if not self.wire_format.closes_by_frame:
                self.transport.close()
        # Never cancelled: a transport that has ended does not mind, one that cannot flush must end.
        asyncio.get_running_loop().call_later(self._scheduler.linger, self.transport.abort)

    def mark_closed(self, disconnect: Disconnect) -> None:
        """Write nothing any more, and keep how it ended, unless that is known; also where the transport went first."""
        self._closed_with = self._closed_with or disconnect
        self.pending, self.fileno = _CLOSED, -1
