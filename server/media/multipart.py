"""multipart/form-data (RFC 7578) without I/O: bytes in, events out, with limits on everything.

The parser buffers at most one delimiter or one part's header; the data of a part passes through in the pieces in which
it arrived. File names are not read, because nothing may depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

MAX_HEADER_BYTES = 8192  # of one part, and of the preamble
_MAX_BOUNDARY = 70  # characters (RFC 2046, section 5.1.1)
_PARAMETER = re.compile(rb"""\s*;\s*([^\s;="]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))""", re.DOTALL)


class MultipartError(Exception):
    """A form is malformed, or with `too_large` exceeds a limit."""

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
    """The final boundary was read; all bytes after it are ignored."""


FormEvent = PartBegin | PartData | PartEnd | FormEnd


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()  # a boundary was read, but not the rest of its line
    HEADER = auto()
    DATA = auto()
    END = auto()


class FormParser:
    """Parser from a form's bytes, in pieces of any size, to events."""

    def __init__(self, content_type: str, *, max_parts: int = 32) -> None:
        kind, parameters = _parsed(content_type.encode("latin-1", "replace"))
        boundary = parameters.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not 0 < len(boundary) <= _MAX_BOUNDARY:
            raise MultipartError("The header Content-Type has no boundary of 1 to 70 characters.")
        self._delimiter = b"\r\n--" + boundary
        self._max_parts = max_parts
        self._parts = 0
        self._skip = 0
        self._state = _State.PREAMBLE
        # The first boundary has no line break before it; adding one makes all boundaries equal.
        self._buffer = bytearray(b"\r\n")

    @property
    def ended(self) -> bool:
        """Return whether the final boundary was read."""
        return self._state is _State.END

    def feed(self, data: bytes) -> Iterator[FormEvent]:
        """Parse the next bytes and yield the events that they complete; raise `MultipartError`."""
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
            raise MultipartError("The body does not begin with the boundary of the Content-Type.")
        yield from ()

    def _delimiter_line(self) -> Iterator[FormEvent]:
        if self._buffer.startswith(b"--"):
            self._state = _State.END
            yield FormEnd()
            return
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > 100:
                raise MultipartError("A boundary is not followed by a line break.")
            return
        if bytes(self._buffer[:end]).strip(b" \t"):
            raise MultipartError("A boundary is not followed by a line break.")
        self._parts += 1
        if self._parts > self._max_parts:
            raise MultipartError(f"A form may have at most {self._max_parts} parts.", too_large=True)
        # The line break stays in the buffer, so that an empty header ends with it and the next one.
        del self._buffer[:end]
        self._state = _State.HEADER

    def _header(self) -> Iterator[FormEvent]:
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEADER_BYTES or (end < 0 and len(self._buffer) > MAX_HEADER_BYTES):
            raise MultipartError(f"The header of a part may have at most {MAX_HEADER_BYTES} bytes.", too_large=True)
        if end < 0:
            return
        name = _part_name(bytes(self._buffer[:end]))
        # The header's last line break stays in the buffer: if the data is empty, the next boundary begins with it.
        del self._buffer[: end + 2]
        self._skip = 2
        self._state = _State.DATA
        yield PartBegin(name)

    def _data(self) -> Iterator[FormEvent]:
        at = self._buffer.find(self._delimiter)
        # Without a complete boundary, everything is data except the last bytes, which may be the beginning of one.
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
            kind, parameters = _parsed(value)
            if kind != b"form-data" or b"name" not in parameters:
                break
            return parameters[b"name"].decode("utf-8", "replace")
    raise MultipartError("A part has no name in its header Content-Disposition.")


def _parsed(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Return the kind of a header value, in lower case, and its parameters; the first of each name counts."""
    # Read from the left, one parameter after the other: a search for `name=` also finds it inside a file name.
    kind, _, _ = value.partition(b";")
    parameters: dict[bytes, bytes] = {}
    at = len(kind)
    while at >= 0:
        match = _PARAMETER.match(value, at)
        if match is None:
            # Some clients do not escape quotes in file names; the text up to the next semicolon is skipped.
            at = value.find(b";", at + 1)
            continue
        quoted, token = match[2], match[3]
        content = token if quoted is None else quoted.replace(b'\\"', b'"')
        parameters.setdefault(match[1].lower(), content)
        at = match.end()
    return kind.strip().lower(), parameters
