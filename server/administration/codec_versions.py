"""Check of the codecs of images and videos: their versions, and which of them have known faults that a file can use.

The libraries come with wheels of Python, so the update of a wheel is the remedy. An extra that is not installed is not
an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, metadata
from importlib.util import find_spec

from PIL import features

from server.administration.findings import Finding


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFault:
    """A codec whose versions before `fixed` have a fault, by its public name, and the package to update."""

    codec: str
    fixed: str
    fault: str
    package: str


# The worst fault of each codec: one line for each is enough to know that it must be updated.
KNOWN_FAULTS = (
    KnownFault(codec="Pillow", fixed="13.0.0", fault="CVE-2026-112403, CVE-2026-96639", package="pillow"),
    KnownFault(codec="libjpeg-turbo", fixed="3.0.0", fault="CVE-2023-2804", package="pillow"),
    KnownFault(codec="zlib", fixed="1.2.12", fault="CVE-2018-25032", package="pillow"),
    KnownFault(codec="libwebp", fixed="1.3.2", fault="CVE-2023-4863", package="pillow"),
    KnownFault(codec="libavif", fixed="1.3.0", fault="CVE-2025-48174", package="pillow"),
    KnownFault(codec="libheif", fixed="1.23.3", fault="GHSA-x8r2-mggj-j6wr", package="pi-heif"),
    KnownFault(codec="libde265", fixed="1.1.2", fault="CVE-2026-54240, GHSA-xp3h-6f5r-8cxp", package="pi-heif"),
)


def inspect_codecs() -> Finding:
    """Report the version of each codec, and warn of those with known faults."""
    versions = codec_versions()
    detail = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Finding(name="codecs", detail=detail, warning=" ".join(map(_warning, known_faults(versions))))


def codec_versions() -> Mapping[str, str]:
    """Return the versions of the installed codecs by name."""
    versions = {"Pillow": metadata.version("pillow")}
    built_in = {"libjpeg-turbo": "libjpeg_turbo", "zlib-ng": "zlib_ng", "libwebp": "webp", "libavif": "avif"}
    # What is called zlib is the interface that zlib-ng has, if that is used.
    versions |= {name: features.version(key) or "" for name, key in built_in.items()}
    if not versions["zlib-ng"]:
        versions["zlib"] = features.version("zlib") or ""
    if find_spec("pi_heif") is not None:
        versions |= _heif()
    if find_spec("av") is not None:
        versions |= _ffmpeg()
    return {name: version for name, version in versions.items() if version}


def known_faults(versions: Mapping[str, str]) -> list[KnownFault]:
    """Return the known faults of these versions."""
    return [
        fault
        for fault in KNOWN_FAULTS
        if fault.codec in versions and _number(versions[fault.codec]) < _number(fault.fixed)
    ]


def _heif() -> Mapping[str, str]:
    info = import_module("pi_heif").libheif_info()
    found = re.search(r"version ([\d.]+)", info["decoders"].get("libde265", ""))
    return {"libheif": info["libheif"], "libde265": found[1] if found else ""}


def _ffmpeg() -> Mapping[str, str]:
    found = vars(import_module("av"))["library_versions"]
    return {"PyAV": metadata.version("av")} | {
        name: ".".join(map(str, found[name])) for name in ("libavcodec", "libavformat", "libswscale") if name in found
    }


def _warning(fault: KnownFault) -> str:
    return f"{fault.codec} before {fault.fixed} has known faults ({fault.fault}): update {fault.package}."


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
