"""Redaction: credentials in log events and texts are replaced by a mask."""

from __future__ import annotations

import functools
import re
from collections.abc import MutableMapping
from typing import Any

MASK = "***"
_SECRET_FIELDS = re.compile(
    r"(?i)^(authorization|cookie|set-cookie|.*password.*|.*secret(_(access_)?key)?$|.*_token|token|ticket|x-csrf-token)$"
)
_MARK = re.compile(r"(?i)bearer |cookie:")
# In free text: bearer tokens, JWTs anywhere, parameters of URLs such as token=…, cookies, and passwords of URLs.
_SECRET_TEXT = (
    (re.compile(r"(?i)\b(bearer +)[\w.~+/=-]+"), r"\1" + MASK),
    (re.compile(r"\beyJ[\w-]*\.[\w-]+\.[\w-]*"), MASK),
    (
        re.compile(
            r"(?i)\b((?:access_|refresh_)?token|picshare_(?:access|refresh|csrf)|ticket|sig|signature|(?:ssl)?password|(?:aws_)?secret(?:_(?:access_)?key)?|[\w-]*-token)=[^&\s\"']+"
        ),
        r"\1=" + MASK,
    ),
    (re.compile(r"(?i)\b(cookie:\s*)[^\r\n\"']+"), r"\1" + MASK),
    (re.compile(r"(\w+://[^:/@\s]*:)[^@/\s]+@"), r"\1" + MASK + "@"),
)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask tokens, cookies, passwords and signatures in the fields and texts of an event (a structlog processor)."""
    for key, value in event.items():
        event[key] = MASK if value and _is_secret(key) else _clean(value)
    return event


@functools.lru_cache(maxsize=1024)
def _is_secret(field: str) -> bool:
    return _SECRET_FIELDS.match(field) is not None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {key: MASK if _is_secret(str(key)) else _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def redact_text(text: str) -> str:
    """Return `text` with everything that looks like a credential masked."""
    # Most texts have no mark of a credential, and a search for the marks is faster than the patterns.
    if not ("=" in text or "://" in text or "eyJ" in text or _MARK.search(text)):
        return text
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text
