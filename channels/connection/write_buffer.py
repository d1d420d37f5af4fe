"""Writing to connections: messages to one client are combined into one write, and no write waits for a peer.

There are two levels of buffering. A `WriteBuffer` collects messages until the end of the current turn of the event
loop. Bytes that the socket does not take then go to the transport's buffer, which is bounded: beyond its limit the
transport calls `pause_writing`, and the client is closed as a slow consumer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable
from itertools import islice
from typing import ClassVar

from channels.connection.transport import Transport, descriptor_of
from channels.connection.wire_format import SharedMessage, WireFormat
from channels.protocol import codes
from channels.protocol.codes import Disconnect

_BATCH = 1000  # buffers written in one turn of the event loop: about three milliseconds
_FEW = 100  # due buffers up to which they are flushed first, so that a message to many need not be queued behind them

# Value of `pending` in a closed buffer, compared by identity: nothing is ever added to it.
_CLOSED: list[bytes] = []


class WriteScheduler:
    """Writes due buffers at the end of each turn of the event loop; reports the number of messages to `on_sent`.

    A message to more than a batch of buffers is written over several turns. Invariant: no client receives messages in
    another order than they were sent. `linger` is how many seconds a peer has to take the close message before the
    transport is aborted.
    """

    def __init__(self, on_sent: Callable[[int], None], *, linger: float) -> None:
        self._on_sent = on_sent
        self._due: list[WriteBuffer] = []
        # Buffers that `_message` has not reached yet, the next one last: removing from the end of a list is cheap.
        self._remaining: list[WriteBuffer] = []
        self._message: SharedMessage | None = None
        self._scheduled = False
        self.linger = linger

    def add(self, buffer: WriteBuffer) -> None:
        """Schedule a buffer to be flushed."""
        self._due.append(buffer)
        self._schedule()

    def send_to_all(self, buffers: Collection[WriteBuffer], message: SharedMessage, *, more: bool = False) -> None:
        """Send one message to many buffers, at once if possible.

        It is queued instead if `more` messages follow at once, since these can share one write, or if another large
        message or many due buffers have to be written before it.
        """
        # This is the hot path of every live publication: no allocation, call or look-up per buffer beyond the needed.
        number = len(buffers)
        if more or self._remaining or (number > _BATCH and len(self._due) > _FEW):
            self._enqueue(buffers, message)
        elif number <= _BATCH:
            self._send_now(buffers, number, message)
        else:
            # The due messages are older. They are few here, so they are written first.
            self._flush()
            rest = iter(buffers)
            self._send_now(islice(rest, _BATCH), _BATCH, message)
            self._remaining, self._message = list(rest), message
            self._remaining.reverse()
            self._schedule()

    def flush_first(self, buffer: WriteBuffer) -> None:
        """Write the message that is being sent to many to this buffer now, ahead of its turn."""
        if self._message is not None and buffer in self._remaining:
            self._remaining.remove(buffer)
            self._send_now((buffer,), 1, self._message, late=True)

    def count_sent(self, messages: int) -> None:
        """Report messages that were written."""
        self._on_sent(messages)

    def _enqueue(self, buffers: Iterable[WriteBuffer], message: SharedMessage) -> None:
        due, wire_format, data = self._due, None, b""
        for buffer in buffers:
            if buffer.wire_format is not wire_format:
                data = buffer.bytes_of(message)
                wire_format = buffer.wire_format if buffer.shares_messages else None
                if not data:
                    continue
            if buffer.pending is None:
                # `put` written out, to save a call per buffer in the common case.
                buffer.pending, buffer.fileno = data, -1
                due.append(buffer)
            else:
                buffer.put(data)
        self._schedule()

    def _send_now(
        self, buffers: Iterable[WriteBuffer], number: int, message: SharedMessage, *, late: bool = False
    ) -> None:
        """Send a message to `number` buffers; pending messages are older than it, or newer if it is `late`."""
        wire_format, data, size, deferred, write = None, b"", 0, 0, os.write
        for buffer in buffers:
            if buffer.wire_format is not wire_format:
                data = buffer.bytes_of(message)
                size = len(data)
                # Where messages are not shared, the next buffer has bytes of its own.
                wire_format = buffer.wire_format if buffer.shares_messages else None
                if not size:
                    deferred += 1
                    continue
            # Not negative means that nothing older waits, so the socket can be written without asking the transport.
            fileno = buffer.fileno
            if fileno >= 0:
                try:
                    taken = write(fileno, data)
                except BlockingIOError:
                    taken = 0
                except OSError:
                    buffer.write_failed()
                    deferred += 1
                    continue
                if taken != size:
                    buffer.write_later(data[taken:])
            elif buffer.pending is None:
                buffer.write(data)
            else:
                # Written with the pending messages when they are flushed, and counted then.
                (buffer.put_before if late else buffer.put)(data)
                deferred += 1
        self.count_sent(number - deferred)

    def _schedule(self) -> None:
        if not self._scheduled and (self._due or self._remaining):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._continue)

    def _continue(self) -> None:
        """Write one batch; the rest follows in later turns, so that other work of the event loop is not delayed."""
        self._scheduled = False
        # A message to many goes before the due buffers: what they hold was sent after it.
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
    """Fields that a delivery reads. A base class puts them first, next to the reference count: one cache miss less."""

    __slots__ = ("fileno", "pending", "wire_format")


class WriteBuffer(_HotFields):
    """Messages to one transport, in one wire format; after `close` nothing more is written.

    `shares_messages` is whether a message to many is the same bytes for all buffers with its wire format.
    """

    shares_messages: ClassVar[bool] = True

    __slots__ = ("_closed_with", "_scheduler", "_socket", "transport")

    def __init__(self, wire_format: WireFormat, transport: Transport, scheduler: WriteScheduler) -> None:
        self.wire_format = wire_format
        self.transport = transport
        self._socket = descriptor_of(transport)
        # The socket, if a message may be written to it at once. Negative while older bytes wait here or in the
        # transport's buffer, and always if only the transport may write (TLS).
        self.fileno = -1
        self._closed_with: Disconnect | None = None
        self._scheduler = scheduler
        # There is rarely more than one message, so a list is made only for the second.
        self.pending: bytes | list[bytes] | None = None

    @property
    def closed_with(self) -> Disconnect | None:
        """Return how the connection was closed, or None while it is open."""
        return self._closed_with

    def bytes_of(self, message: SharedMessage) -> bytes:
        """Return what this client receives of a message to many; nothing if it does not concern the client."""
        return message.encoded_for(self.wire_format)

    def put(self, data: bytes) -> None:
        """Send an encoded message, in one write with all others of this turn of the event loop."""
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
        """Send an encoded message before the pending ones."""
        pending = self.pending
        if isinstance(pending, bytes):
            self.pending = [data, pending]
        elif pending is not None and pending is not _CLOSED:
            pending.insert(0, data)

    def write(self, data: bytes) -> None:
        """Write now, after what the transport still buffers."""
        # Writing to the socket while the transport still buffers older bytes would swap them.
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
        """Pass the bytes that the socket did not take to the transport, which writes them when it can."""
        self.fileno = -1
        self.transport.write(data)

    def write_failed(self) -> None:
        """Stop writing to a socket that has failed."""
        # The connection is not ended here. When ten thousand fail together, asyncio's transports would end all of them
        # in one turn; the poller reads the same error from a few sockets a turn and ends those.
        self.mark_closed(codes.NORMAL)
        asyncio.get_running_loop().call_later(self._scheduler.linger, self.transport.abort)

    def flush(self) -> int:
        """Write the pending messages in one write; return their number."""
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
        """Write the pending messages and then the close message; a second close does nothing."""
        if self._closed_with is not None:
            return
        self._scheduler.flush_first(self)
        self._scheduler.count_sent(self.flush())
        self.mark_closed(disconnect)
        if not self.transport.is_closing():
            self.transport.write(self.wire_format.close_message(disconnect))
            if not self.wire_format.closes_by_frame:
                self.transport.close()
        # Never cancelled: aborting a closed transport does nothing, and one that cannot flush has to end.
        asyncio.get_running_loop().call_later(self._scheduler.linger, self.transport.abort)

    def mark_closed(self, disconnect: Disconnect) -> None:
        """Stop writing and record how the connection was closed, unless that is already known."""
        self._closed_with = self._closed_with or disconnect
        self.pending, self.fileno = _CLOSED, -1
