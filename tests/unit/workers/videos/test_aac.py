"""What comes before the sound in a frame of AAC is removed, bit by bit."""

from __future__ import annotations

import pytest

from workers.videos.aac import begins_with_sound, is_plain, without_fill

SOUND = "001" + "0110" * 20 + "111"  # a pair of channels, and the end


def frame(bits: str) -> bytes:
    """Return bits as bytes, filled up with zeros."""
    whole = bits + "0" * (-len(bits) % 8)
    return int(whole, 2).to_bytes(len(whole) // 8, "big")


def fill(count: int) -> str:
    """Return a fill element with so many bytes."""
    if count < 15:
        return f"110{count:04b}" + "10100101" * count
    return f"1101111{count - 14:08b}" + "10100101" * count


def data(count: int, *, at: int, aligned: bool) -> str:
    """Return a data element with so many bytes that begins at a bit."""
    head = f"1000000{int(aligned)}" + (f"{count:08b}" if count < 255 else f"11111111{count - 255:08b}")
    padding = "0" * (-(at + len(head)) % 8) if aligned else ""
    return head + padding + "10100101" * count


@pytest.mark.parametrize(
    "before",
    [
        fill(0),
        fill(7),
        fill(15),
        fill(200),
        fill(7) + fill(20),
        data(10, at=0, aligned=True),
        data(10, at=0, aligned=False),
        data(300, at=0, aligned=True),
        fill(7) + data(10, at=len(fill(7)), aligned=True),
    ],
)
def test_what_comes_before_the_sound_is_removed(before: str) -> None:
    """The sound is the same, from the first bit on."""
    assert without_fill(frame(before + SOUND))[: len(frame(SOUND))] == frame(SOUND)


def test_sound_alone_is_not_changed() -> None:
    """Also if it has the bits of other elements in it."""
    assert without_fill(frame(SOUND)) == frame(SOUND)
    assert begins_with_sound(frame(SOUND))


@pytest.mark.parametrize("bits", ["110" + "1" * 12, "1000" + "1" * 60, "101" + "0" * 50, "111" + "0" * 20])
def test_a_frame_without_sound_does_not_begin_with_it(bits: str) -> None:
    """Cut off, a description of channels, or nothing but the end."""
    assert not begins_with_sound(without_fill(frame(bits)))


@pytest.mark.parametrize(
    ("config", "plain"),
    [
        ("1190", True),
        ("1188", True),
        ("119056e500", True),
        ("2b11880800", False),
        ("1180", False),
        ("11", False),
        ("11" * 9, False),
    ],
)
def test_the_configuration_is_that_of_one_or_two_channels(config: str, plain: bool) -> None:
    """HE-AAC, and a description of channels, are others."""
    assert is_plain(bytes.fromhex(config)) is plain
