"""Programs and packages that the peers need."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_NODE_PACKAGES = Path(__file__).parent / "node_modules"


class MissingPeersError(Exception):
    """A peer cannot run; the message lists what is missing."""


def program(name: str) -> str | None:
    """Return the path of a program; /usr/sbin is searched too."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def require_peers() -> None:
    """Raise `MissingPeersError` unless everything is installed."""
    programs = [name for name in ("nginx", "node", "gcc", "taskset") if program(name) is None]
    files = [
        str(path) for path in (NCHAN_MODULE, _NODE_PACKAGES / "ws", _NODE_PACKAGES / "socket.io") if not path.exists()
    ]
    if programs or files:
        raise MissingPeersError(
            f"missing: {', '.join(programs + files)}. `make bench-live` installs it, or bench/sockets/peers/install."
        )
