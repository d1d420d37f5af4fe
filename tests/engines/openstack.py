"""A private OpenStack Swift with its S3 interface, in one process on loopback ports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.object_store import ACCESS_KEY, SECRET_KEY, ObjectStore, wait_for_answer
from tests.engines.private import free_port

_SCRIPT = Path(__file__).with_name("openstack_server.py")


@contextmanager
def swift(folder: Path) -> Iterator[ObjectStore]:
    """Run Swift until the end of the block; its data are deleted with `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-W", "ignore", str(_SCRIPT), str(folder), str(port), ACCESS_KEY, SECRET_KEY]
    with (folder / "swift.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        wait_for_answer(port, process, folder / "swift.log")
        yield ObjectStore(endpoint=f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
