"""The service worker of the web application: its script with the files that it stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from server.edge.joined_modules import FOLDER

# In the script, in place of which the version and the files are written.
_SHELL = b'{ version: "", files: [] }'
# Icons that every page shows.
_ICONS = ("icons/picshare.svg",)


def with_shell(script: bytes, version: str, paths: Iterable[str]) -> bytes:
    """Return the script of the worker of a version; `paths` are those of all files of the application."""
    files = [f"/static/v-{version}/{path}" for path in shell_files(paths)]
    return script.replace(_SHELL, orjson.dumps({"version": version, "files": files}))


def shell_files(paths: Iterable[str]) -> Iterator[str]:
    """Yield the paths of the files that pages need without a connection: the joined scripts, their style and icons.

    The catalogues of texts are not among them. The worker stores the one that a page has loaded.
    """
    for path in sorted(paths):
        if path in _ICONS or path == f"{FOLDER}/index.css" or path.startswith(f"{FOLDER}/js/"):
            yield path
