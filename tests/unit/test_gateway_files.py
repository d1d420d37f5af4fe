"""The shipped configuration of nginx, checked by gixy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.engines.nginx import Nginx

# Findings that are no defects here, each with its reason.
_ACCEPTED = {
    "host_spoofing": "PicShare compares the origin of a page with the header Host, of which $host lacks the port",
    "missing_resolver": "the variables in proxy_pass are names of upstreams of site.conf, which are resolved at start",
    "if_is_evil": "the conditions contain nothing but `set` and `return`, which belong to the same module",
}
# gixy tries regular expressions with random texts, so that a finding might come and go.
_GIXY = "import random, sys; random.seed(0); sys.argv[0] = 'gixy'; from gixy.cli.__main__ import main; main()"


def test_gixy_finds_nothing_new(tmp_path: Path) -> None:
    """Every finding is one of those that are accepted, and each of these is still found."""
    config = Nginx(tmp_path, api=[1, 2, 3], secret="a secret for tests, 32 bytes long").write()
    command = [sys.executable, "-c", _GIXY, "-f", "json", str(config)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    findings: list[dict[str, Any]] = json.loads(result.stdout)
    others = [finding for finding in findings if finding["plugin"] not in _ACCEPTED]
    assert not others, json.dumps(others, indent=1)
    assert {finding["plugin"] for finding in findings} == _ACCEPTED.keys()
