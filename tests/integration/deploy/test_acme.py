"""Certificates by ACME from a real authority (Caddy's), in a network namespace where the ports 80 and 443 are free."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE = 180.0  # seconds


def namespace() -> list[str]:
    """Return the command that runs another one in a network namespace with a loopback."""
    # Another user than root becomes root of a user namespace, to use the ports below 1024.
    command = ["unshare", "-n" if os.geteuid() == 0 else "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    missing = [name for name in ("unshare", "ip") if shutil.which(name) is None]
    if missing or subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespaces: install iproute2, and run as root or allow user namespaces")
    return command


async def observed(folder: Path) -> dict[str, Any]:
    """Return what `tests.support.acme_world` has seen."""
    process = await asyncio.create_subprocess_exec(
        *namespace(),
        sys.executable,
        "-m",
        "tests.support.acme_world",
        str(folder),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        output, errors = await process.communicate()
    assert process.returncode == 0, (output + errors).decode()[-4000:]
    seen: dict[str, Any] = json.loads(output.splitlines()[-1])
    return seen


async def test_a_certificate_is_ordered_and_renewed(tmp_path: Path) -> None:
    """The first certificate, then one for the account that exists, in place of one of which too little is left."""
    seen = await observed(tmp_path)
    assert seen["issuer"].startswith("CN=Caddy Local Authority")
    assert seen["renewed"]
    assert (seen["issued"], seen["failed"]) == (2.0, None)
    assert seen["same_account"]
    assert seen["modes"] == ["0o600", "0o600"]
    # Plain HTTP has the challenges, which are removed, and leads everything else to HTTPS.
    assert seen["challenges_left"] == 0
    assert seen["unknown"] == 404
    assert seen["redirect"] == [308, "https://localhost:8080/a?b=c"]
