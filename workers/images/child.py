"""The decoder's own process: paths in on its standard input, pictures out on its standard output.

Every message is four bytes of length, big-endian, and a msgpack value. The process says None once it is
ready, then answers each path with the fields of `Decoded` under "decoded" or a reason under "rejected".
Anything unforeseen ends it, and the parent starts another: an exception here is a crash, on purpose.

It cannot outlive its parent: on Linux the kernel kills it (prctl(2), PR_SET_PDEATHSIG), and everywhere
its input ends with the parent, after at most the processor time that one picture may take.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgpack

from workers.images.decode import ImageRejectedError, decode

NICENESS = 5  # requests are answered before pictures are made
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve the parent until its end of the pipe is closed."""
    parser = argparse.ArgumentParser()
    for name in ("--parent", "--memory", "--seconds", "--max-pixels"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    die_with_parent(options.parent)
    limit_resources(options.memory)
    os.nice(NICENESS)
    # Whatever a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    write_message(answers, None)
    while (path := read_message(sys.stdin.buffer)) is not None:
        limit_time(options.seconds)
        write_message(answers, answer(Path(path), options.max_pixels))


def answer(path: Path, max_pixels: int) -> dict[str, Any]:
    """Return what a picture became, or why it is refused."""
    try:
        decoded = decode(path, max_pixels=max_pixels)
    except ImageRejectedError as error:
        return {"rejected": str(error)}
    except FileNotFoundError:
        return {"missing": True}
    except MemoryError:
        return {"rejected": "the picture needs more memory to decode than is allowed"}
    return {"decoded": {field.name: getattr(decoded, field.name) for field in dataclasses.fields(decoded)}}


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process with its parent, where it can; end now if that is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


def limit_resources(memory: int) -> None:
    """Bound this process's address space (bytes); let it write no file and leave no core."""
    for kind, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        # macOS knows no limit of address space: there the limit of pixels alone bounds the memory.
        with contextlib.suppress(ValueError):
            resource.setrlimit(kind, (limit, limit))


def limit_time(seconds: int) -> None:
    """Give the next picture so many seconds of processor time; then the kernel ends this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds + 1, hard))


def read_message(stream: BinaryIO) -> Any:
    """Return the next message, or None at the end of the stream."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    return msgpack.unpackb(stream.read(struct.unpack(">I", head)[0]))


def write_message(stream: BinaryIO, value: object) -> None:
    """Write one message."""
    body = msgpack.packb(value)
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main()
