"""The threads of the client of object stores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

VARIABLE = "TOKIO_WORKER_THREADS"  # read by the client


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("4", "4")])
def test_the_client_has_one_thread_unless_the_environment_says_otherwise(given: str | None, expected: str) -> None:
    """Several threads cost a third more for each request."""
    script = f"import os, storage.blobs.s3; print(os.environ['{VARIABLE}'])"
    environment = {key: value for key, value in os.environ.items() if key != VARIABLE}
    if given is not None:
        environment[VARIABLE] = given
    found = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == expected
