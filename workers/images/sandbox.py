"""The sandbox of a decoder process: what it can still do once its codecs are loaded is compute and respond.

The layers are independent, so that a fault in one of them, or a kernel without it, leaves the others. `MEANINGS` says
what each one does. None can be taken off again.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import sys
from collections.abc import Iterable
from pathlib import Path

from workers.images import landlock, seccomp

# By layer: what is not refused without it, and what the layer needs.
MEANINGS = {
    "rlimits": "nothing bounds its memory",
    "landlock": "files are refused by seccomp alone (needs Linux 5.13 with Landlock)",
    "landlock_tcp": "TCP is refused by seccomp alone (needs Linux 6.7 with Landlock)",
    "landlock_scopes": "abstract sockets and signals are refused by seccomp alone (needs Linux 6.12 with Landlock)",
    "seccomp": "system calls are not filtered (needs Linux on x86-64 or AArch64)",
}
LAYERS = tuple(MEANINGS)
MAX_DESCRIPTORS = 16  # of the process: standard streams, the two ends for requests and responses, and one image
_NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS


def limit_resources(memory: int) -> frozenset[str]:
    """Bound the address space of this process (bytes), allow it no files and no core dump; return the active layer."""
    for kind, limit in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (limit, limit))
    # macOS has no limit of address space: there only the limit of pixels bounds the memory.
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        return frozenset({"rlimits"})
    return frozenset()


def enter() -> frozenset[str]:
    """Enter the sandbox for good; return the layers that the kernel provides.

    Call it with one thread, and with every codec and module loaded that will be needed: no file can be opened after it.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_DESCRIPTORS, MAX_DESCRIPTORS))
    if sys.platform != "linux":
        return frozenset()
    if _threads() > 1:
        raise RuntimeError("Landlock would not restrict the threads that already run")
    if ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return frozenset()
    return landlock.restrict() | seccomp.restrict()


def explain(missing: Iterable[str]) -> str:
    """Return what it means for a decoder that layers are missing."""
    layers = set(missing)
    if {"landlock", "seccomp"} <= layers:
        return "a fault in a codec gives access to all that this user can do: use Linux, or another user for this role"
    return "; ".join(MEANINGS[layer] for layer in LAYERS if layer in layers)


def _threads() -> int:
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else 1
