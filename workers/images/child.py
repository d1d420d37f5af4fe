"""The decoder process: reads paths from standard input, writes decoded images to standard output.

Every message is four bytes of length, big-endian, and a msgpack value. The process sends None once it is ready, then
responds to each path with the fields of `Decoded` under "decoded", a reason under "rejected", or true under "missing".
Any other exception ends it on purpose, and the parent starts a new process.

It cannot outlive its parent: on Linux the kernel kills it (prctl(2), PR_SET_PDEATHSIG), and on every system its input
ends with the parent, after at most the processor time that one image may take.
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

NICENESS = 5  # requests go before images
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Decode for the parent until its end of the pipe is closed."""
    parser = argparse.ArgumentParser()
    for name in ("--parent", "--memory", "--seconds", "--max-pixels"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    die_with_parent(options.parent)
    limit_resources(options.memory)
    os.nice(NICENESS)
    # Whatever a library prints must not be taken for a response.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    write_message(responses, None)
    while (path := read_message(sys.stdin.buffer)) is not None:
        limit_time(options.seconds)
        write_message(responses, respond(Path(path), options.max_pixels))


def respond(path: Path, max_pixels: int) -> dict[str, Any]:
    """Return the response to one path."""
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
    """Have the kernel kill this process when its parent ends, where it can; exit if the parent has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


def limit_resources(memory: int) -> None:
    """Bound this process's address space (bytes); allow it no files and no core dump."""
    for kind, limit in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        # macOS has no limit of address space: there only the limit of pixels bounds the memory.
        with contextlib.suppress(ValueError):
            resource.setrlimit(kind, (limit, limit))


def limit_time(seconds: int) -> None:
    """Give the next image so many seconds of processor time, after which the kernel kills this process."""
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
