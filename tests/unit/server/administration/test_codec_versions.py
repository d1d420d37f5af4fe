"""The doctor's check of the image codecs."""

from __future__ import annotations

import pytest
from PIL import __version__ as pillow

from server.administration.codec_versions import KNOWN_FAULTS, codec_versions, inspect_codecs, known_faults
from server.administration.findings import Finding
from server.cli.inspection import show


def test_every_codec_is_named_with_its_version() -> None:
    """The finding has the versions of Pillow's codecs and of those of the installed extras."""
    versions = codec_versions()
    assert versions["Pillow"] == pillow
    assert set(versions) >= {"libjpeg-turbo", "libwebp", "libavif", "libheif", "libde265", "PyAV", "libavcodec"}
    assert versions.keys() & {"zlib", "zlib-ng"}
    assert all(version[0].isdigit() for version in versions.values())
    finding = inspect_codecs()
    assert finding.ok
    assert all(f"{name} {version}" in finding.detail for name, version in versions.items())


@pytest.mark.parametrize("fault", KNOWN_FAULTS, ids=lambda fault: fault.codec)
def test_a_known_fault_is_warned_of_before_the_version_that_fixes_it(fault: object) -> None:
    """A version below the fixed one is warned of; the fixed one and later ones are not."""
    (known,) = (each for each in KNOWN_FAULTS if each is fault)
    major, *rest = map(int, known.fixed.split("."))
    before = f"{major - 1}.99.99" if not any(rest) else ".".join(map(str, (major, *_one_less(rest))))
    assert known_faults({known.codec: before}) == [known]
    assert known_faults({known.codec: known.fixed}) == known_faults({known.codec: f"{major + 1}.0"}) == []


def _one_less(parts: list[int]) -> list[int]:
    *first, last = parts
    return [*first, last - 1] if last else [*_one_less(first), 99]


def test_the_core_codecs_have_no_known_fault() -> None:
    """What every installation has, Pillow and the codecs in it, is without known faults."""
    assert [fault for fault in known_faults(codec_versions()) if fault.package == "pillow"] == []


def test_a_warning_is_printed_and_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """A finding with a warning is marked as such, with its text."""
    show([Finding(name="codecs", detail="libx 1", warning="Update libx."), Finding(name="disk", detail="free")])
    assert capsys.readouterr().out == "warning codecs: libx 1 Update libx.\nok disk: free\n"
