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

_SLICE = 1000  # outboxes written in one turn of the event loop: some three milliseconds
_FEW = 100  # outboxes that are flushed before a message to very many, so that it need not be gathered


# What stands in an outbox that is closed: nothing is gathered there any more.
_CLOSED: list[bytes] = []


class WriteScheduler:
    """Write what outboxes gathered at the end of this turn of the event loop; tell how many messages left.

    A message to very many leaves over several turns. Whatever is gathered meanwhile came after it, and leaves after it.
    `patience` is how many seconds a peer has to take a farewell before the transport is aborted.
    """

    def __init__(self, left: Callable[[int], None], *, patience: float) -> None:
        self._left = left
        self._due: list[WriteBuffer] = []
        # Those whom the message under way has yet to reach, the next one last.
        self._rest: list[WriteBuffer] = []
        self._message: SharedMessage | None = None
        self._scheduled = False
        self.patience = patience

    def add(self, outbox: WriteBuffer) -> None:
        """Have an outbox flushed soon."""
        self._due.append(outbox)
        self._schedule()

    def send_to_all(self, outboxes: Collection[WriteBuffer], message: SharedMessage, *, more: bool = False) -> None:
        """Send one message to many: what the delivery of a live publication comes down to, so it does little.

        It leaves at once, unless `more` follows, with which it is gathered into one write, or much has to leave before.
        """
        number = len(outboxes)
        if more or self._rest or (number > _SLICE and len(self._due) > _FEW):
            self._gather(outboxes, message)
        elif number <= _SLICE:
            self._send_now(outboxes, number, message)
        else:
            self._flush()
            rest = iter(outboxes)
            self._send_now(islice(rest, _SLICE), _SLICE, message)
            self._rest, self._message = list(rest), message
            self._rest.reverse()
            self._schedule()

    def hasten(self, outbox: WriteBuffer) -> None:
        """Send an outbox what is under way to it."""
        if self._message is not None and outbox in self._rest:
            self._rest.remove(outbox)
            self._send_now((outbox,), 1, self._message, late=True)

    def count(self, messages: int) -> None:
        """Tell of messages that have left."""
        self._left(messages)

    def _gather(self, outboxes: Iterable[WriteBuffer], message: SharedMessage) -> None:
        due, form, data = self._due, None, b""
        for outbox in outboxes:
            if outbox.form is not form:
                form = outbox.form
                data = message.encoded_for(form)
            if outbox.pending is None:
                outbox.pending, outbox.fileno = data, -1
                due.append(outbox)
            else:
                outbox.put(data)
        self._schedule()

    def _send_now(
        self, outboxes: Iterable[WriteBuffer], number: int, message: SharedMessage, *, late: bool = False
    ) -> None:
        """Send a message to so many; what they have gathered came before it or, where it is `late`, behind it."""
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
                (outbox.put_first if late else outbox.put)(data)
                kept += 1
        self.count(number - kept)

    def _schedule(self) -> None:
        if not self._scheduled and (self._due or self._rest):
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        """Write to some; the rest has its turn later, so that whatever else is due need not wait for all of it."""
        self._scheduled = False
        if self._message is not None:
            some = self._rest[: -_SLICE - 1 : -1]
            del self._rest[-_SLICE:]
            self._send_now(some, len(some), self._message, late=True)
            if not self._rest:
                self._message = None
        else:
            self._flush()
        self._schedule()

    def _flush(self) -> None:
        due, self._due = self._due[:_SLICE], self._due[_SLICE:]
        if due:
            self.count(sum(outbox.flush() for outbox in due))


class _Touched:
    """What a delivery touches, first in the object and so beside its reference count: a cache miss less."""

    __slots__ = ("fileno", "form", "pending")


class WriteBuffer(_Touched):
    """Gather messages for one transport, in one form; after `close` nothing more is written."""

    __slots__ = ("_closed_with", "_departures", "_socket", "transport")

    def __init__(self, form: WireFormat, transport: Transport, departures: WriteScheduler) -> None:
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

    def put_first(self, data: bytes) -> None:
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
        self._departures.hasten(self)
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
