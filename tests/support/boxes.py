"""Change the boxes of an MP4 file in tests."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"udta"}

Change = Callable[[bytes], bytes]


def box(kind: bytes, body: bytes = b"") -> bytes:
    """Return a box."""
    return struct.pack(">I4s", 8 + len(body), kind) + body


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the types and bodies of boxes."""
    found, position = [], 0
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        found.append((kind, data[position + 8 : position + size]))
        position += size
    return found


def changed(data: bytes, path: Sequence[bytes], change: Change) -> bytes:
    """Return a file whose first box on a path, e.g. `(b"moov", b"mvhd")`, has another body.

    Boxes around it get the right size; positions of media data in the file stay as they are.
    """
    parts, done = [], False
    for kind, body in boxes(data):
        if kind == path[0] and not done:
            new = change(body) if len(path) == 1 else changed(body, path[1:], change)
            done = len(path) == 1 or new != body
            parts.append(box(kind, new))
        else:
            parts.append(box(kind, body))
    return b"".join(parts)


def body_of(data: bytes, path: Sequence[bytes]) -> bytes:
    """Return the body of the first box on a path."""
    for kind, body in boxes(data):
        if kind == path[0]:
            return body if len(path) == 1 else body_of(body, path[1:])
    raise AssertionError(f"there is no box {path[0]!r}")


def patched(offset: int, new: bytes) -> Change:
    """Return the change of some bytes of a body."""
    return lambda body: body[:offset] + new + body[offset + len(new) :]
