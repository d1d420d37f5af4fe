"""Methods of HTTP that a server accepts; a module of its own that loads nothing, so that the roles can name them."""

from __future__ import annotations

from enum import Enum, auto

READ_METHODS = frozenset({"GET", "HEAD"})
# Paths whose GET and HEAD belong to writes: they continue an upload or a sign-in, or have effects. Both servers answer.
PATHS_OF_WRITES = ("/api/v1/uploads", "/api/v1/oidc/", "/api/v1/mail/unsubscribe")


class Methods(Enum):
    """Methods that a server accepts; each also answers OPTIONS, which changes nothing and depends on no row."""

    ALL = auto()
    READS = auto()  # GET and HEAD
    WRITES = auto()  # every other method, and GET and HEAD below `PATHS_OF_WRITES`


def accepts(methods: Methods, method: str, path: str) -> bool:
    """Return whether a server accepts a request."""
    if methods is Methods.ALL or method == "OPTIONS":
        return True
    if method in READ_METHODS:
        return methods is Methods.READS or path.startswith(PATHS_OF_WRITES)
    return methods is Methods.WRITES
