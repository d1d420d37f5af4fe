"""What has to be installed before the peers can run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
_NODE_PACKAGES = Path(__file__).parent / "node_modules"


class MissingPeersError(Exception):
    """Name what is missing."""


def program(name: str) -> str | None:
    """Return where a program is, looking also where administrators' programs are."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def require_peers() -> None:
    """Raise `MissingPeersError` unless everything is there."""
    programs = [name for name in ("nginx", "node", "gcc", "taskset") if program(name) is None]
    files = [
        str(path) for path in (NCHAN_MODULE, _NODE_PACKAGES / "ws", _NODE_PACKAGES / "socket.io") if not path.exists()
    ]
    if programs or files:
        raise MissingPeersError(
            f"missing: {', '.join(programs + files)}. `make bench-live` installs it, or bench/sockets/peers/install."
        )
