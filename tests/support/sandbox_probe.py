"""A decoder process that attempts what its sandbox must refuse, and responds with what became of each attempt.

It is started by `workers.images.process.Child` in place of the decoder, and enters the sandbox by the same code. A
request names one attempt of `ATTEMPTS`, and has its arguments.
"""

from __future__ import annotations

import ctypes
import errno
import io
import mmap
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from workers.images import child
from workers.images.decode import ImageRejectedError, decode

_PTRACE_SEIZE = 0x4206
_AARCH64 = os.uname().machine == "aarch64"  # the sandbox refuses to answer
_LIBC = ctypes.CDLL(None, use_errno=True)
_SYSTEM_CALLS = {  # x86-64, AArch64
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "memfd_create": (319, 279),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "mount": (165, 40),
    "unshare": (272, 97),
    "openat2": (437, 437),
    "open_by_handle_at": (304, 265),
    "clone3": (435, 435),
}


def _system_call(name: str, *arguments: int) -> int:
    number = _SYSTEM_CALLS[name][_AARCH64]
    result = int(_LIBC.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _open(path: str) -> str:
    return os.read(os.open(path, os.O_RDONLY), 1000).decode(errors="replace")


def _connect(family: str, kind: str, address: Any) -> None:
    with socket.socket(getattr(socket, family), getattr(socket, kind)) as client:
        client.connect(tuple(address) if isinstance(address, list) else address)


def _fork() -> int:
    process = os.fork()
    if not process:
        os._exit(0)
    return process


def _set_limit(name: str, value: int) -> None:
    try:
        resource.setrlimit(getattr(resource, name), (value, value))
    except ValueError as error:
        raise PermissionError(errno.EPERM, str(error)) from error


def _descriptors() -> list[tuple[int, str]]:
    """Return each open descriptor and its kind."""
    kinds = []
    for number in range(256):
        try:
            os.lseek(number, 0, os.SEEK_CUR)
        except OSError as error:
            if error.errno != errno.EBADF:
                kinds.append((number, "stream"))
        else:
            kinds.append((number, "file"))
    return kinds


def _encode(kind: str) -> int:
    file = io.BytesIO()
    Image.effect_noise((200, 100), 60).convert("RGB").save(file, kind)
    return len(file.getvalue())


ATTEMPTS: dict[str, Callable[..., Any]] = {
    "open": _open,
    "create": lambda path: os.open(path, os.O_WRONLY | os.O_CREAT),
    "list": os.listdir,
    "stat": lambda path: Path(path).stat().st_size,
    "delete": os.unlink,
    "connect": _connect,
    "socketpair": lambda: len(socket.socketpair()),
    "execute": lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),  # noqa: S606
    "spawn": lambda: subprocess.run(["/bin/true"], check=True).returncode,
    "fork": _fork,
    "kill": lambda process: os.kill(process, 0),
    "ptrace": lambda process: _system_call("ptrace", _PTRACE_SEIZE, process, 1, 0),  # EIO, if it is allowed at all
    "memory of": lambda process: _system_call("process_vm_readv", process, 0, 0, 0, 0, 0),
    "system call": lambda name: _system_call(name, 0, 0, 0, 0, 0),
    "execute memory": lambda: len(mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)),
    "set limit": _set_limit,
    "environment": lambda: dict(os.environ),
    "descriptors": _descriptors,
    "encode": _encode,
    "text": lambda encoding: "é".encode(encoding).decode(encoding),
}


def respond(request: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Make the attempt that a request names; return "refused" with the name of the error, or "reached"."""
    if request["attempt"] == "decode":
        try:
            return {"reached": decode(data).width}
        except ImageRejectedError as error:
            return {"rejected": str(error)}
    try:
        return {"reached": ATTEMPTS[request["attempt"]](*request["arguments"])}
    except OSError as error:
        return {"refused": errno.errorcode.get(error.errno or 0, str(error))}


if __name__ == "__main__":
    child.main(respond)
