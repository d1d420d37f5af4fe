"""Landlock: take from this process, for good, every access to files, to TCP, and to sockets and processes outside.

The rights that a kernel knows depend on the ABI version it reports; unknown ones must not be asked for. A ruleset that
handles a right without a rule for it refuses that right everywhere. Numbers: linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import os
import struct

# The same on every architecture.
_CREATE_RULESET, _RESTRICT_SELF = 444, 446
_VERSION = 1  # flag of landlock_create_ruleset that asks for the ABI version
_FILES = 0x1FFF  # execute to make_sym: every right of the first version
_LATER_FILES = {2: 1 << 13, 3: 1 << 14, 5: 1 << 15}  # refer, truncate, ioctl_dev, by the version that has them
_TCP = 0b11  # bind_tcp, connect_tcp
_TCP_VERSION = 4
_SCOPES = 0b11  # abstract_unix_socket, signal
_SCOPES_VERSION = 6


def restrict() -> frozenset[str]:
    """Restrict this thread and those it will start; return the layers that are active, none without Landlock.

    `PR_SET_NO_NEW_PRIVS` must be set. The layers are "landlock" (files), "landlock_tcp" and "landlock_scopes".
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return frozenset()  # not compiled in, not switched on, or refused by the system call filter of a container
    layers, attributes = ruleset(version)
    descriptor = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if descriptor < 0:
        return frozenset()
    try:
        return layers if libc.syscall(_RESTRICT_SELF, descriptor, 0) == 0 else frozenset()
    finally:
        os.close(descriptor)


def ruleset(version: int) -> tuple[frozenset[str], bytes]:
    """Return the layers of an ABI version, and the attributes of the ruleset that has all of them."""
    files = _FILES
    for since, right in _LATER_FILES.items():
        files |= right if version >= since else 0
    if version < _TCP_VERSION:
        return frozenset({"landlock"}), struct.pack("=Q", files)
    if version < _SCOPES_VERSION:
        return frozenset({"landlock", "landlock_tcp"}), struct.pack("=2Q", files, _TCP)
    return frozenset({"landlock", "landlock_tcp", "landlock_scopes"}), struct.pack("=3Q", files, _TCP, _SCOPES)
