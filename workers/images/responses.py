"""Check of what a decoder process responds: an image may have taken it over, and what it responds is served.

Its sandbox keeps it from everything but its response. So a response is used only if it has the form that a decoder
gives it: the variants that were asked for, each of its format and with nothing but pixels, a profile of ours and the
rights that the response names (`workers.images.published`), and plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from storage.blobs.content_types import HEAD, recognised_type
from storage.blobs.variants import Variant
from storage.perceptual_hashes import MAX_QUALITY, is_pdq
from workers.images import embedded_texts, published
from workers.images.decode import Decoded
from workers.images.limits import MAX_EMBEDDED_TEXT, MAX_SIDE
from workers.images.rights import rights_packet

_MAX_TEXT = 500  # characters of a reason or a placeholder


class InvalidResponseError(Exception):
    """A response that a decoder does not give; the text says what is wrong with it."""


def reason_of(response: Mapping[str, Any]) -> str | None:
    """Return the reason of a rejection, or None if the image was not rejected."""
    if "rejected" not in response:
        return None
    reason = response["rejected"]
    _require(isinstance(reason, str) and 0 < len(reason) <= _MAX_TEXT and reason.isprintable(), "a reason")
    return str(reason)


def decoded_of(response: Mapping[str, Any], variants: Sequence[Variant], rights: bool = False) -> Decoded:
    """Return the decoded image with these variants; raise `InvalidResponseError` or `ForeignBytesError`."""
    try:
        decoded = Decoded(**response["decoded"])
    except (KeyError, TypeError) as error:
        raise InvalidResponseError("without a decoded image") from error
    for side in (decoded.width, decoded.height):
        _require(type(side) is int and 0 < side <= MAX_SIDE, "a side")
    placeholder: object = decoded.placeholder
    _require(isinstance(placeholder, str) and len(placeholder) <= _MAX_TEXT, "a placeholder")
    _require(isinstance(decoded.exif, dict), "EXIF")
    _require(_are_texts(decoded.texts), "texts")
    for kind in (decoded.hdr, decoded.motion):
        _require(isinstance(kind, bool), "a kind")
    pdq: object = decoded.pdq
    _require(isinstance(pdq, str) and is_pdq(pdq), "a perceptual hash")
    _require(type(decoded.pdq_quality) is int and 0 <= decoded.pdq_quality <= MAX_QUALITY, "the quality of a hash")
    xmp = rights_packet(decoded.texts) if rights else b""
    _check_files(decoded.variants, variants, xmp)
    return replace(decoded, rights=bool(xmp))


def made_of(response: Mapping[str, Any], variants: Sequence[Variant], rights: bool = False) -> Mapping[str, bytes]:
    """Return the variants that were made; raise `InvalidResponseError` or `ForeignBytesError`."""
    made: Mapping[str, bytes] = response.get("made", {})
    texts = response.get("texts", {})
    _require(_are_texts(texts), "texts")
    _check_files(made, variants, rights_packet(texts) if rights else b"")
    return made


def _are_texts(texts: object) -> bool:
    return isinstance(texts, dict) and all(
        name in embedded_texts.NAMES and isinstance(text, str) and len(text) <= MAX_EMBEDDED_TEXT
        for name, text in texts.items()
    )


def _check_files(files: object, variants: Sequence[Variant], xmp: bytes) -> None:
    if not isinstance(files, dict) or set(files) != {variant.name for variant in variants}:
        raise InvalidResponseError("without the variants that were asked for")
    for variant in variants:
        data = files[variant.name]
        _require(isinstance(data, bytes) and recognised_type(data[:HEAD]) == variant.content_type, variant.name)
        published.check(data, variant.format, b"" if variant.motion else xmp, motion=variant.motion)


def _require(condition: object, part: str) -> None:
    if not condition:
        raise InvalidResponseError(f"with {part} of another form")
