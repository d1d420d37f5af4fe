"""The push services to which messages are sent. An endpoint comes from a browser, that is, from a user."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Of Chrome, Edge on Android, Opera, Brave and Samsung Internet; of Firefox; of Safari; of Edge on Windows. The names in
# use go before the patterns with which they belong together, because each of them has a circuit.
KNOWN_HOSTS = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    "*.push.services.mozilla.com",
    "web.push.apple.com",
    "*.push.apple.com",
    "*.notify.windows.com",
)
ANY = "*"
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_PATTERN = re.compile(rf"\*|(\*\.)?({_LABEL}\.)*{_LABEL}")


class PushHosts:
    """Patterns of host names: a name, `*.` and the end of names, or `*` for every host."""

    def __init__(self, patterns: Sequence[str] = KNOWN_HOSTS) -> None:
        self._patterns = tuple(patterns)

    def match(self, host: str) -> str | None:
        """Return the first pattern that allows a host, or None if none does."""
        name = host.lower().removesuffix(".")
        return next((pattern for pattern in self._patterns if _matches(pattern, name)), None)


def checked_pattern(text: str) -> str:
    """Return a pattern in lower case; raise `ValueError` for a text that is none."""
    pattern = text.lower()
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(f"{text} is not a host; write push.example.com, *.example.com, or * for every host")
    return pattern


def _matches(pattern: str, name: str) -> bool:
    if pattern == ANY:
        return True
    # The dot belongs to the end that is compared: *.push.apple.com is not evilpush.apple.com.
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern
