"""A decoder process that puts a comment into the variants it makes, as a library might one day."""

from __future__ import annotations

from typing import Any

from tests.support.pictures import jpeg_segment
from workers.images import child
from workers.images.limits import MAX_PIXELS


def respond(request: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Respond as a decoder does, with a comment in each JPEG."""
    response = child.decoding(MAX_PIXELS)(request, data)
    files = response["made"] if "made" in response else response["decoded"]["variants"]
    for name, file in files.items():
        files[name] = file[:2] + jpeg_segment(0xFE, b"taken at home") + file[2:]
    return response


if __name__ == "__main__":
    child.main(respond)
