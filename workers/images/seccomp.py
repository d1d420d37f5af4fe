"""A system call filter (seccomp) that allows what computing on memory and on open descriptors needs, and no more.

It is a list of what is allowed, so a system call that a later kernel adds is refused, too. Nothing on it opens,
connects or executes anything, or reaches another process. A refused call fails with EPERM, which libraries handle like
any other error. The numbers are those of asm/unistd_64.h (x86-64) and asm-generic/unistd.h (AArch64), the filter is
described in linux/seccomp.h and linux/bpf_common.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SET_MODE_FILTER = 1
_ALL_THREADS = 1  # SECCOMP_FILTER_FLAG_TSYNC

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, value
_LOAD, _EQUALS, _HAS_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; each argument has 8 bytes
_KILL, _ERROR, _ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000
_PROT_EXEC = 4
_CLONE_THREAD = 0x0001_0000


@dataclass(frozen=True, slots=True)
class Architecture:
    """A processor architecture: its AUDIT_ARCH value, the number of seccomp(2), and those of allowed calls by name.

    Some of the calls are allowed only with certain arguments (`_conditional`).
    """

    audit: int
    seccomp: int
    calls: Mapping[str, int]


# By name: the numbers on x86-64 and AArch64.
_CALLS: Mapping[str, tuple[int, int | None]] = {
    # Open descriptors.
    "read": (0, 63),
    "readv": (19, 65),
    "pread64": (17, 67),
    "write": (1, 64),
    "writev": (20, 66),
    "recvmsg": (47, 212),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "close": (3, 57),
    # Memory.
    "brk": (12, 214),
    "mmap": (9, 222),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "mprotect": (10, 226),
    "madvise": (28, 233),
    # Threads, their signals and their end.
    "clone": (56, 220),
    "clone3": (435, 435),
    "set_tid_address": (218, 96),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "getcpu": (309, 168),
    "gettid": (186, 178),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "tgkill": (234, 131),
    "exit": (60, 93),
    "exit_group": (231, 94),
    # Time and limits.
    "clock_gettime": (228, 113),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, None),
    "times": (100, 153),
    "getrusage": (98, 165),
    "prlimit64": (302, 261),
    # What Python and Pillow ask on the way: random numbers, the process, and its directory, which is the root.
    "getrandom": (318, 278),
    "getpid": (39, 172),
    "getcwd": (79, 17),
}
ARCHITECTURES = {
    "x86_64": Architecture(0xC000_003E, 317, {name: number for name, (number, _) in _CALLS.items()}),
    "aarch64": Architecture(
        0xC000_00B7, 277, {name: number for name, (_, number) in _CALLS.items() if number is not None}
    ),
}


def restrict() -> frozenset[str]:
    """Filter the system calls of this process and of all its threads; return the active layers, or none.

    `PR_SET_NO_NEW_PRIVS` must be set. The only layer is "seccomp".
    """
    architecture = ARCHITECTURES.get(platform.machine())
    if architecture is None or struct.calcsize("P") != 8:
        return frozenset()
    program = assemble(architecture, os.getpid())
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and a pointer to them.
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.syscall(architecture.seccomp, _SET_MODE_FILTER, _ALL_THREADS, head)
    return frozenset() if refused else frozenset({"seccomp"})


def assemble(architecture: Architecture, process: int) -> Sequence[Instruction]:
    """Return the program of the filter for a process of this id."""
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUALS, 1, 0, architecture.audit),
        # The numbers of another architecture mean other calls; its processes cannot be this one.
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for name, number in architecture.calls.items():
        decision = _conditional(name, process) or [(_RETURN, 0, 0, _ALLOW)]
        program += [(_EQUALS, 0, len(decision), number), *decision]
    return [*program, (_RETURN, 0, 0, _ERROR | errno.EPERM)]


def _conditional(name: str, process: int) -> list[Instruction] | None:
    """Return the instructions that decide about a call by its arguments, or None if it is always allowed.

    The kernel uses the low 32 bits of these arguments alone.
    """
    if name in {"mmap", "mprotect"}:
        # Memory that is both written and executed is what an exploit needs.
        return _decide(_HAS_BITS, argument=2, value=_PROT_EXEC, allowed=False)
    if name == "clone":
        # A thread, but no process.
        return _decide(_HAS_BITS, argument=0, value=_CLONE_THREAD, allowed=True)
    if name == "clone3":
        # Its flags are in memory, which a filter cannot read. Without it the C library uses clone.
        return [(_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    if name == "tgkill":
        return _decide(_EQUALS, argument=0, value=process, allowed=True)  # abort(3) sends a signal to itself
    if name == "prlimit64":
        # Root may raise its limits. The processor time is the only one that changes, for each image.
        refuse, own = (_RETURN, 0, 0, _ERROR | errno.EPERM), (_LOAD, 0, 0, _ARGUMENTS)
        return [own, (_EQUALS, 1, 0, 0), refuse, *_decide(_EQUALS, 1, resource.RLIMIT_CPU, allowed=True)]
    return None


def _decide(test: int, argument: int, value: int, *, allowed: bool) -> list[Instruction]:
    """Return the instructions that allow or refuse a call whose argument passes a test, and do the opposite else."""
    allow, refuse = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ERROR | errno.EPERM)
    passed, failed = (allow, refuse) if allowed else (refuse, allow)
    # A little-endian machine has the low half of an argument first.
    return [(_LOAD, 0, 0, _ARGUMENTS + 8 * argument), (test, 0, 1, value), passed, failed]
