"""multipart/form-data (RFC 7578) without I/O: bytes in, events out, everything bounded.

The parser holds at most one delimiter or one part's header; the data of a part passes through in the
pieces in which it came. File names are not read at all: nothing may depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

MAX_HEADER_BYTES = 8192  # of one part, and of what stands before the first
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))\s*(?:;|$)""", re.IGNORECASE)
_NAME = re.compile(rb"""(?:^|[;\s])name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))""", re.IGNORECASE)


class MultipartError(Exception):
    """Say what is wrong with a form; `too_large` when a bound was passed and not a rule broken."""

    def __init__(self, message: str, *, too_large: bool = False) -> None:
        super().__init__(message)
        self.too_large = too_large


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins; its data follows up to `PartEnd`."""

    name: str


@dataclass(frozen=True, slots=True)
class PartData:
    """A piece of the part's data, never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


@dataclass(frozen=True, slots=True)
class FormEnd:
    """The final boundary was read; whatever follows is ignored."""


FormEvent = PartBegin | PartData | PartEnd | FormEnd


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()  # a boundary was read, and not yet what follows it on its line
    HEADER = auto()
    DATA = auto()
    END = auto()


class FormParser:
    """Turn a form's bytes into events, whatever the pieces in which they arrive."""

    def __init__(self, content_type: str, *, max_parts: int = 32) -> None:
        kind, _, parameters = content_type.partition(";")
        boundary = _BOUNDARY.search(parameters)
        if kind.strip().lower() != "multipart/form-data" or boundary is None:
            raise MultipartError("the Content-Type names no boundary")
        self._delimiter = b"\r\n--" + (boundary[1] or boundary[2]).encode("latin-1", "replace")
        self._max_parts = max_parts
        self._parts = 0
        self._skip = 0
        self._state = _State.PREAMBLE
        # The first boundary needs no line break before it; with one put there all boundaries look alike.
        self._buffer = bytearray(b"\r\n")

    @property
    def ended(self) -> bool:
        """Tell whether the final boundary was read."""
        return self._state is _State.END

    def feed(self, data: bytes) -> Iterator[FormEvent]:
        """Take the next bytes and yield what they complete; raise `MultipartError`."""
        self._buffer += data
        steps = {
            _State.PREAMBLE: self._preamble,
            _State.DELIMITER: self._delimiter_line,
            _State.HEADER: self._header,
            _State.DATA: self._data,
        }
        while self._state is not _State.END:
            state, size = self._state, len(self._buffer)
            yield from steps[state]()
            if self._state is state and len(self._buffer) == size:
                return
        self._buffer.clear()

    def _preamble(self) -> Iterator[FormEvent]:
        at = self._buffer.find(self._delimiter)
        if at >= 0:
            del self._buffer[: at + len(self._delimiter)]
            self._state = _State.DELIMITER
        elif len(self._buffer) > MAX_HEADER_BYTES:
            raise MultipartError("the body does not begin with its boundary")
        yield from ()

    def _delimiter_line(self) -> Iterator[FormEvent]:
        if self._buffer.startswith(b"--"):
            self._state = _State.END
            yield FormEnd()
            return
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > 100:
                raise MultipartError("a boundary is not followed by a line break")
            return
        if bytes(self._buffer[:end]).strip(b" \t"):
            raise MultipartError("a boundary is not followed by a line break")
        self._parts += 1
        if self._parts > self._max_parts:
            raise MultipartError(f"a form has at most {self._max_parts} parts", too_large=True)
        # The line break stays: a header that is empty ends at once with it and the next.
        del self._buffer[:end]
        self._state = _State.HEADER

    def _header(self) -> Iterator[FormEvent]:
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEADER_BYTES or (end < 0 and len(self._buffer) > MAX_HEADER_BYTES):
            raise MultipartError(f"the header of a part has more than {MAX_HEADER_BYTES} bytes", too_large=True)
        if end < 0:
            return
        name = _part_name(bytes(self._buffer[:end]))
        # The header's last line break stays in front: where the data is empty, the next boundary begins with it.
        del self._buffer[: end + 2]
        self._skip = 2
        self._state = _State.DATA
        yield PartBegin(name)

    def _data(self) -> Iterator[FormEvent]:
        at = self._buffer.find(self._delimiter)
        # Without a boundary in sight, all but what could be its beginning is data.
        end = at if at >= 0 else len(self._buffer) - len(self._delimiter) + 1
        if at < 0 and end <= self._skip:
            return
        if end > self._skip:
            yield PartData(bytes(self._buffer[self._skip : end]))
        del self._buffer[:end]
        self._skip = 0
        if at >= 0:
            del self._buffer[: len(self._delimiter)]
            self._state = _State.DELIMITER
            yield PartEnd()


def _part_name(header: bytes) -> str:
    for line in header.split(b"\r\n"):
        field, _, value = line.partition(b":")
        if field.strip().lower() == b"content-disposition":
            match = _NAME.search(value)
            if match is None or not value.strip().lower().startswith(b"form-data"):
                break
            raw = match[1] if match[1] is not None else match[2]
            return raw.replace(b'\\"', b'"').decode("utf-8", "replace")
    raise MultipartError("a part says no name in its Content-Disposition")
