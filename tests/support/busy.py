"""A decoder process that computes for ever."""

from __future__ import annotations

from typing import Any

from workers.images import child


def respond(_request: dict[str, Any], _data: bytes) -> dict[str, Any]:
    """Respond never."""
    while True:
        pass


if __name__ == "__main__":
    child.main(respond)
