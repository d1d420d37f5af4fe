"""The decoder's sandbox, attempted from inside: nothing but the image of a request can be reached."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from tests.support import sandbox_probe
from tests.support.pictures import CASES, case, encoded, jpeg_with_metadata, photograph
from workers.images import sandbox
from workers.images.limits import DecoderLimits
from workers.images.process import Child

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these layers"),
]
SECRET = "PICSHARE_TEST_SECRET"


class Probe:
    """A process in the sandbox that makes attempts, started as a decoder is; after its end another one is started."""

    def __init__(self) -> None:
        self._child: Child | None = None

    async def child(self) -> Child:
        """Return the process."""
        if self._child is not None and not self._child.alive:
            await self._child.stop()
            self._child = None
        if self._child is None:
            self._child = await Child.start(DecoderLimits(), module=sandbox_probe.__name__)
        return self._child

    async def attempt(self, name: str, *arguments: object, data: bytes = b"") -> dict[str, Any]:
        """Return the response to an attempt."""
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            request = {"attempt": name, "arguments": list(arguments), "seconds": 20}
            return await (await self.child()).respond(request, file.fileno(), deadline=20.0)

    async def stop(self) -> None:
        """Stop the process."""
        if self._child is not None:
            await self._child.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def probe() -> AsyncIterator[Probe]:
    """A process whose parent has a secret in its environment, and a library that knows nothing of close-on-exec."""
    probe = Probe()
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile() as file:
        patch.setenv(SECRET, "secret")
        os.set_inheritable(file.fileno(), True)
        yield probe
    await probe.stop()


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """A TCP socket that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


async def test_every_layer_of_this_kernel_is_active(probe: Probe) -> None:
    """The process reports all layers: the tests run on a kernel that has them."""
    assert (await probe.child()).layers == set(sandbox.LAYERS)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("open", ["/etc/passwd"]),
        ("open", ["/proc/self/environ"]),
        ("open", ["/proc/self/maps"]),
        ("open", ["/dev/null"]),
        ("open", [str(photograph())]),
        ("list", ["/"]),
        ("list", ["/proc/self/fd"]),
        ("stat", ["/etc/passwd"]),
        ("create", ["/tmp/picshare-escaped"]),
        ("delete", ["/tmp/picshare-escaped"]),
    ],
)
async def test_files_are_refused(probe: Probe, name: str, arguments: list[str]) -> None:
    """No file can be opened, listed, asked about, created or deleted."""
    assert "refused" in await probe.attempt(name, *arguments)


async def test_the_environment_of_the_parent_is_refused(probe: Probe) -> None:
    """The parent's environment, with its secrets, cannot be read through /proc."""
    assert "refused" in await probe.attempt("open", f"/proc/{os.getpid()}/environ")


async def test_tcp_is_refused(probe: Probe, listener: socket.socket) -> None:
    """A TCP connection is refused, to a server that accepts it."""
    assert "refused" in await probe.attempt("connect", "AF_INET", "SOCK_STREAM", listener.getsockname())


async def test_udp_is_refused(probe: Probe, listener: socket.socket) -> None:
    """A UDP socket is refused, with which names could be resolved."""
    assert "refused" in await probe.attempt("connect", "AF_INET", "SOCK_DGRAM", listener.getsockname())


async def test_unix_sockets_are_refused(probe: Probe, tmp_path: Path) -> None:
    """Unix sockets are refused, such as that of a PostgreSQL that trusts its peers."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        assert "refused" in await probe.attempt("connect", "AF_UNIX", "SOCK_STREAM", str(tmp_path / "s"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0picshare-test")
        server.listen()
        assert "refused" in await probe.attempt("connect", "AF_UNIX", "SOCK_STREAM", "\0picshare-test")


async def test_netlink_and_raw_sockets_are_refused(probe: Probe) -> None:
    """Other kinds of sockets are refused, too."""
    assert "refused" in await probe.attempt("connect", "AF_NETLINK", "SOCK_RAW", [0, 0])
    assert "refused" in await probe.attempt("socketpair")


@pytest.mark.parametrize("name", ["execute", "spawn", "fork"])
async def test_processes_are_refused(probe: Probe, name: str) -> None:
    """No program can be executed, and no process started."""
    assert "refused" in await probe.attempt(name)


@pytest.mark.parametrize("name", ["kill", "ptrace", "memory of"])
async def test_the_parent_cannot_be_reached(probe: Probe, name: str) -> None:
    """The parent cannot be signalled or traced, and its memory not read."""
    assert await probe.attempt(name, os.getpid()) == {"refused": "EPERM"}


@pytest.mark.parametrize(
    "name",
    [
        *("io_uring_setup", "bpf", "keyctl", "userfaultfd", "perf_event_open", "memfd_create", "pidfd_open"),
        *("pidfd_getfd", "mount", "unshare", "openat2", "open_by_handle_at"),
    ],
)
async def test_other_ways_out_are_refused(probe: Probe, name: str) -> None:
    """System calls that do the same by other means, or that had many faults, are refused."""
    assert await probe.attempt("system call", name) == {"refused": "EPERM"}


async def test_a_new_way_to_fork_does_not_exist(probe: Probe) -> None:
    """A call whose flags a filter cannot read is reported as missing, so that the C library uses the older one."""
    assert await probe.attempt("system call", "clone3") == {"refused": "ENOSYS"}


async def test_memory_cannot_become_code(probe: Probe) -> None:
    """Memory that can be executed is refused."""
    assert await probe.attempt("execute memory") == {"refused": "EPERM"}


@pytest.mark.parametrize(("name", "value"), [("RLIMIT_AS", 1 << 30), ("RLIMIT_FSIZE", 0), ("RLIMIT_NOFILE", 10)])
async def test_limits_cannot_be_changed(probe: Probe, name: str, value: int) -> None:
    """The limits of resources cannot be changed, not even lowered, so that root cannot raise them either."""
    assert await probe.attempt("set limit", name, value) == {"refused": "EPERM"}


async def test_the_environment_is_empty(probe: Probe) -> None:
    """The process has no environment but what Python itself sets."""
    assert set((await probe.attempt("environment"))["reached"]) <= {"LC_CTYPE"}


async def test_nothing_but_the_pipes_is_inherited(probe: Probe) -> None:
    """The process has the standard streams and the end for its responses, and no file."""
    assert (await probe.attempt("descriptors"))["reached"] == [[number, "stream"] for number in range(4)]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
async def test_every_encoder_works(probe: Probe, kind: str) -> None:
    """Images are encoded inside the sandbox in every format."""
    assert (await probe.attempt("encode", kind))["reached"] > 1000


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
async def test_every_decoder_works(probe: Probe, kind: str) -> None:
    """Images are decoded inside the sandbox in every format that is accepted."""
    data = encoded(Image.open(photograph()).convert("RGB"), kind)
    assert await probe.attempt("decode", data=data) == {"reached": 640}


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-be", "utf-32"])
async def test_texts_are_decoded(probe: Probe, encoding: str) -> None:
    """Encodings of metadata, each of which Python loads when it is first needed, are there."""
    assert await probe.attempt("text", encoding) == {"reached": "é"}


@pytest.mark.parametrize("name", ["rotated.heic", "p3.heic", "pq.heic", "alpha.heic"])
async def test_heic_is_decoded(probe: Probe, name: str) -> None:
    """A HEIC is decoded inside the sandbox, with EXIF, profile, code points and an alpha channel."""
    assert await probe.attempt("decode", data=case(name)) == {"reached": 64}


async def test_metadata_of_every_kind_is_read(probe: Probe) -> None:
    """What Python loads only when it is first needed is loaded: EXIF, profiles, texts and broken metadata."""
    for data in (jpeg_with_metadata(6), *(case(path.name) for path in sorted(CASES.iterdir()))):
        response = await probe.attempt("decode", data=data)
        assert response.keys() <= {"reached", "rejected"}


LAYER = """
import ctypes, socket, sys
from workers.images import landlock
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0
assert "landlock" in landlock.restrict()
for attempt in (lambda: open("/etc/passwd"), lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])))):
    try:
        attempt()
    except PermissionError as error:
        print(error.errno)
"""


async def test_landlock_alone_refuses_files_and_tcp(listener: socket.socket) -> None:
    """Without the filter of system calls, files and TCP are refused all the same."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LAYER, str(listener.getsockname()[1])),
        cwd=Path(__file__).parents[4],
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert output == b"13\n13\n"
