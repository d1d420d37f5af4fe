"""Methods of HTTP that a server accepts; a module of its own, so that the roles can name them without loading aiohttp."""

from __future__ import annotations

from enum import Enum, auto

READ_METHODS = frozenset({"GET", "HEAD"})


class Methods(Enum):
    """Methods of HTTP that a server accepts; each also answers OPTIONS, which changes nothing and depends on no row."""

    ALL = auto()
    READS = auto()  # GET and HEAD
    WRITES = auto()  # every other method


def accepts(methods: Methods, method: str) -> bool:
    """Return whether a server accepts requests with a method."""
    if methods is Methods.ALL or method == "OPTIONS":
        return True
    return (method in READ_METHODS) == (methods is Methods.READS)
