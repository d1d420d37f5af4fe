"""The keys that nginx shares with PicShare, as `deploy/nginx/keys` derives them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from server.media.urls import nginx_key
from tests.engines.nginx import SHIPPED
from workers.caches.nginx import purge_key


def keys(secret: str, **environment: str) -> str:
    """Return the output of the script."""
    environment = {**os.environ, "PICSHARE_AUTH__SECRET": secret, **environment}
    return subprocess.run([SHIPPED / "keys"], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "secret",
    [
        "a secret for tests, 32 bytes long",
        "%s %d \\n \\\\ $(id) `id` ' \" * -n ;",
        "x" * 63,
        "x" * 64,
        "x" * 65,
        "ein Schlüssel mit Umlauten " * 5,
    ],
)
def test_the_keys_are_those_of_picshare(secret: str) -> None:
    """Whatever characters a secret has, and longer than a block of the hash or not."""
    media, purge = keys(secret).splitlines()
    assert media == f'map "" $picshare_media_key {{ default "{nginx_key(secret.encode())}"; }}'
    assert purge == (f'map $http_x_picshare_purge $picshare_purge {{ default ""; "{purge_key(secret.encode())}" 1; }}')


def test_no_program_gets_the_secret_as_an_argument(tmp_path: Path) -> None:
    """All users of a machine can read the arguments of its processes."""
    names = ("openssl", "od", "tr", "cut", "fold")
    for name in names:
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/arguments\nexec {shutil.which(name)} "$@"\n')
        program.chmod(0o755)
    secret = "s3cret " * 8
    assert keys(secret, PATH=f"{tmp_path}:{os.environ['PATH']}") == keys(secret)
    arguments = (tmp_path / "arguments").read_text()
    assert set(names) <= set(arguments.split())
    assert "s3cret" not in arguments
    assert secret.encode().hex()[:14] not in arguments
