"""Positions in EXIF: read as degrees, and kept as the author's setting says."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from storage.models import LocationMetadata
from storage.stores.photos.photo_exif import with_location
from workers.images.exif import parse_exif, read_exif

WHOLE = {1: "S", 2: (33.0, 51.0, 24.12), 3: "W", 4: (151.0, 12.0, 0.0), 5: b"\x01", 6: 12.34, 29: "2026:11:20"}
EXIF = {"Make": "Leica", "location": {"latitude": 52.508472, "longitude": 13.376543, "altitude": 34.5}}


def position_in(block: dict[int, Any]) -> Any:
    """Return the position in a GPS block, as it is read from a file."""
    exif = Image.Exif()
    exif[0x8825] = block
    return read_exif(parse_exif(exif.tobytes().removeprefix(b"Exif\0\0"))).get("location")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"latitude": -33.856700, "longitude": -151.2, "altitude": -12.3}),
        ({5: b"\0"}, {"latitude": -33.856700, "longitude": -151.2, "altitude": 12.3}),
        ({6: None}, {"latitude": -33.856700, "longitude": -151.2}),
        ({1: None}, None),
        ({1: "X"}, None),
        ({2: None}, None),
        ({2: (91.0, 0.0, 0.0)}, None),
        ({4: (181.0, 0.0, 0.0)}, None),
        ({3: None}, None),
    ],
)
def test_a_position_is_read_as_degrees_and_metres(changes: dict[int, Any], expected: object) -> None:
    """Degrees, minutes and seconds with their hemisphere become signed degrees; what is not valid is no position."""
    block = {tag: value for tag, value in {**WHOLE, **changes}.items() if value is not None}
    assert position_in(block) == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (LocationMetadata.OFF, None),
        # Neither the altitude nor a third decimal, which is 110 m.
        (LocationMetadata.COARSE, {"latitude": 52.51, "longitude": 13.38}),
        (LocationMetadata.EXACT, EXIF["location"]),
    ],
)
def test_the_setting_decides_how_much_of_a_position_is_kept(setting: LocationMetadata, expected: object) -> None:
    """Nothing by default, two decimals if coarse, all if exact; other tags stay."""
    kept = with_location(EXIF, setting)
    assert kept.get("location") == expected
    assert kept["Make"] == "Leica"
