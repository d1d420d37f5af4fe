"""The datasets of an IPTC-IIM block, as Photoshop's image resources of a JPEG contain it."""

from __future__ import annotations

from collections.abc import Iterator

DESCRIPTION, CREATOR, COPYRIGHT = 120, 80, 116  # datasets of record 2
_RESOURCE, _IPTC = b"8BIM", 0x0404
_DATASET, _RECORD, _LONG = 0x1C, 2, 0x8000


def read_iptc(resources: bytes) -> dict[int, list[str]]:
    """Return the texts of record 2 by the number of their dataset; what follows a damaged part is left out.

    The block may declare an encoding, but most programs write UTF-8 without doing so, or Latin-1.
    """
    found: dict[int, list[str]] = {}
    for number, value in _datasets(_block(resources)):
        if text := decoded(value).strip():
            found.setdefault(number, []).append(text)
    return found


def decoded(value: bytes) -> str:
    """Return a text of undeclared encoding: UTF-8 if it can be, which no text in another one is by accident."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _block(resources: bytes) -> bytes:
    """Return the IPTC block among the resources: signature, number, padded name, size and padded body of each."""
    at = 0
    while resources[at : at + 4] == _RESOURCE and at + 7 < len(resources):
        number, name = int.from_bytes(resources[at + 4 : at + 6], "big"), 1 + resources[at + 6]
        start = at + 6 + name + name % 2 + 4
        size = int.from_bytes(resources[start - 4 : start], "big")
        if number == _IPTC:
            return resources[start : start + size]
        at = start + size + size % 2
    return b""


def _datasets(block: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 5 <= len(block) and block[at] == _DATASET:
        record, number, size = block[at + 1], block[at + 2], int.from_bytes(block[at + 3 : at + 5], "big")
        at += 5
        if size & _LONG:
            return  # of more than 32 kB, which no text here is
        if record == _RECORD:
            yield number, block[at : at + size]
        at += size
