"""Decoding the bytes of a window log."""

from __future__ import annotations

import struct

import pytest

from server.composition.delivery import delivery_script
from storage.feeds.log_format import Entry, LogView, parse_epoch
from storage.feeds.window_log import WindowLog
from storage.ids import pack_ids
from storage.redis.client import open_redis

REMOVED = 1 << 63


def log(
    *entries: tuple[int, int], flags: int = 0, top: int = 900, floor: int = 100, staged: int = 0, start: int = 6
) -> bytes:
    """Return a log of epoch 77 with (offset, id word) entries, the last `staged` of them in the slots.

    The other entries are in a ring of eight, from slot `start` on.
    """
    packed = [struct.pack(">QQ", *entry) for entry in entries]
    body, slots = packed[: len(packed) - staged], packed[len(packed) - staged :]
    header = struct.pack(">HHHHQQQQHHI", flags, 5, len(entries), staged, top, 0, 77, floor, start, 8, 0)
    ring = [b"\xff" * 16] * 8
    for index, entry in enumerate(body):
        ring[(start + index) % 8] = entry
    return b"".join(slots).ljust(128, b"\0") + header + b"".join(ring)


@pytest.mark.parametrize("staged", [0, 1, 2, 3])
@pytest.mark.parametrize("start", range(8))
def test_staged_entries_are_the_newest(staged: int, start: int) -> None:
    """Staged entries follow those of the ring, wherever it starts, and free slots are not entries."""
    view = LogView.parse(log((200, 1), (0, 2), (300, 3), staged=staged, start=start))
    assert view.entries == [Entry(offset=200, id=1), Entry(offset=0, id=2), Entry(offset=300, id=3)]
    assert (view.epoch, view.top, view.floor, view.edits) == (77, 900, 100, 5)


@pytest.mark.parametrize(("flags", "building", "complete"), [(0, 0, 0), (1, 1, 0), (2, 0, 1), (3, 1, 1)])
def test_flags(flags: int, building: int, complete: int) -> None:
    """Each flag is a bit of its own."""
    view = LogView.parse(log(flags=flags))
    assert (view.building, view.complete) == (building, complete)


@pytest.mark.parametrize(
    ("epoch", "offset", "ids"),
    [
        (77, 100, [3, 1, 2]),  # from the floor: everything published, by offset
        (77, 300, [1, 2]),
        (77, 900, []),
        (77, 99, None),  # below the floor: entries were trimmed
        (77, 901, None),  # from the future: not a position of this log
        (78, 300, None),  # another epoch
    ],
)
def test_recovery(epoch: int, offset: int, ids: list[int] | None) -> None:
    """Entries published after a position are returned by offset; entries merged without publication never are."""
    came = LogView.parse(log((400, 1), (900, 2 | REMOVED), (300, 3), (0, 4))).since(epoch, offset)
    assert (None if came is None else [entry.id for entry in came]) == ids
    if ids:
        assert came is not None
        assert came[-1] == Entry(offset=900, id=2, removed=True)


@pytest.mark.parametrize(
    ("text", "epoch"), [("1793", 1793), ("", None), ("-1", None), ("1" * 17, None), ("²", None), ("1x", None)]
)
def test_epochs_from_clients(text: str, epoch: int | None) -> None:
    """Text that cannot be an epoch gives None and no error."""
    assert parse_epoch(text) == epoch


def test_ids_are_packed_big_endian() -> None:
    """Packed ids have the order of the ids."""
    assert pack_ids([1, 1 << 62]) == bytes(7) + b"\x01" + b"\x40" + bytes(7)


def test_logs_of_a_group_share_a_cluster_slot() -> None:
    """The key's hash tag is the slot group, the upper bits of the owner's shard."""
    redis = open_redis("redis://unused")
    assert WindowLog(redis, "feed", delivery_script(redis)).key((5 << 10) | 1023) == b"feed:{15}:%d" % (
        (5 << 10) | 1023
    )
