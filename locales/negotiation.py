"""The language of a response, from the header field Accept-Language (RFC 9110, section 12.5.4)."""

from __future__ import annotations

from functools import lru_cache

from locales.catalogues import ENGLISH, LANGUAGES

_MOST = 1000  # characters of a header field that are read


@lru_cache(maxsize=256)
def accepted_language(field: str) -> str:
    """Return the language of PicShare that a client prefers; English if it names none of them."""
    weighed: list[tuple[float, str]] = []
    for part in field[:_MOST].split(","):
        tag, _, parameter = part.partition(";")
        name = tag.strip().lower().split("-")[0]
        weight = _weight(parameter.strip())
        if name in LANGUAGES and weight > 0:
            weighed.append((weight, name))
    # The first one of the same weight: `max` keeps it.
    return max(weighed, key=lambda item: item[0], default=(0.0, ENGLISH))[1]


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
