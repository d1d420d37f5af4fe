"""The decoder process: reads images from descriptors that it is sent, and writes what they became to standard output.

Standard input is a unix socket. A request is one message with one descriptor, that of the file (SCM_RIGHTS); the parent
sends the next one only after the response. A response is four bytes of length, big-endian, and a msgpack value. The
process sends the active layers of its sandbox once it is ready, then responds to each image with the fields of
`Decoded` under "decoded", with variants under "made" and the embedded texts under "texts", or with a reason under
"rejected". Any other exception ends it on purpose, and the parent starts a new process.

It opens nothing: before its first image it enters a sandbox (`workers.images.sandbox`), with all that it will need
loaded. It cannot outlive its parent: on Linux the kernel kills it (prctl(2), PR_SET_PDEATHSIG), and on every system its
input ends with the parent, after at most the processor time that one image may take.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import msgpack

from storage.blobs.variants import Variant
from workers.images import motion, sandbox, warmup
from workers.images.decode import ImageRejectedError, decode, make

NICENESS = 5  # requests go before images
MAX_REQUEST = 64 * 1024  # bytes
_PIECE = 1024 * 1024  # bytes
_PR_SET_PDEATHSIG = 1

# The response to a request and to the bytes of its file.
Respond = Callable[[dict[str, Any], bytes], dict[str, Any]]


def main(
    respond: Respond | None = None,
    *,
    extend: Callable[[Respond], Respond] = lambda respond: respond,
    warm: Callable[[], None] = lambda: None,
) -> None:
    """Respond to the parent until its end of the socket is closed.

    `extend` returns what responds from what decodes images, and `warm` loads what it needs before the sandbox closes.
    """
    parser = argparse.ArgumentParser()
    for name in ("--parent", "--memory", "--max-pixels"):
        parser.add_argument(name, type=int, required=True)
    options = parser.parse_args()
    separate(options.parent)
    layers = sandbox.limit_resources(options.memory)
    requests = socket.socket(fileno=0)
    # Whatever a library prints must not be taken for a response.
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warmup.load_codecs()
    warm()
    layers |= sandbox.enter()
    write_message(responses, {"layers": sorted(layers)})
    respond = respond or extend(decoding(options.max_pixels))
    while (request := receive(requests)) is not None:
        limit_time(request[0]["seconds"])
        write_message(responses, respond(*request))


def decoding(max_pixels: int) -> Respond:
    """Return the function that decodes images of at most so many pixels."""

    def respond(request: dict[str, Any], data: bytes) -> dict[str, Any]:
        variants = [Variant(**fields) for fields in request["variants"]]
        try:
            if any(variant.motion for variant in variants):
                return {"made": motion.make(data, max_pixels=max_pixels)}
            if not request["describe"]:
                files, texts = make(data, variants, max_pixels=max_pixels, rights=request["rights"])
                return {"made": files, "texts": texts}
            decoded = decode(data, variants, max_pixels=max_pixels, rights=request["rights"])
        except ImageRejectedError as error:
            return {"rejected": str(error)}
        except MemoryError:
            return {"rejected": "the picture needs more memory to decode than is allowed"}
        return {"decoded": {field.name: getattr(decoded, field.name) for field in dataclasses.fields(decoded)}}

    return respond


def separate(parent: int) -> None:
    """Keep nothing of the parent but the standard streams, and end with it.

    The process gets a group of its own, which Ctrl-C does not reach, but stays in the parent's session: Linux shares
    the processors between sessions first (sched(7), autogroup), and niceness counts only within one.
    """
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.chdir("/")
    os.setpgid(0, 0)
    os.nice(NICENESS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


def limit_time(seconds: int) -> None:
    """Give the next image so many seconds of processor time, after which the kernel kills this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds + 1, hard))


def receive(requests: socket.socket) -> tuple[dict[str, Any], bytes] | None:
    """Return the next request and the bytes of its file, or None at the end."""
    message, descriptors, _, _ = socket.recv_fds(requests, MAX_REQUEST, 1)
    if not message:
        return None
    (descriptor,) = descriptors
    try:
        # Read as it is: Python's file objects ask for more system calls than the sandbox allows.
        data = b"".join(iter(lambda: os.read(descriptor, _PIECE), b""))
    finally:
        os.close(descriptor)
    return msgpack.unpackb(message), data


def write_message(stream: BinaryIO, value: object) -> None:
    """Write one message."""
    body = msgpack.packb(value)
    stream.write(struct.pack(">I", len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    main()
