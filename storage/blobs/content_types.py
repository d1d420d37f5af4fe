"""The types of stored objects: their file extensions, and how their first bytes show them."""

from __future__ import annotations

UNKNOWN = "application/octet-stream"
EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/gif": "gif",
    "image/heic": "heic",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
}
HEAD = 12  # bytes from which a type is recognised

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
# ISO/IEC 14496-12: a file begins with the box `ftyp`, whose first brand is the specification that it follows.
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"heim": "image/heic",
    b"heis": "image/heic",
    b"mif1": "image/heic",
    b"msf1": "image/heic",
    b"isom": "video/mp4",
    **{b"iso%d" % number: "video/mp4" for number in range(2, 10)},
    b"mp41": "video/mp4",
    b"mp42": "video/mp4",
    b"avc1": "video/mp4",
    b"M4V ": "video/mp4",
    b"qt  ": "video/quicktime",
}


def recognised_type(head: bytes) -> str:
    """Return the type of a file from its first `HEAD` bytes, or `UNKNOWN`."""
    for magic, content_type in _MAGIC:
        if head.startswith(magic):
            return content_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return _BRANDS.get(head[8:12], UNKNOWN) if head[4:8] == b"ftyp" else UNKNOWN
