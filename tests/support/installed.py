"""An installation of the wheel, apart from the source: a virtual environment with the same dependencies."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

from tests.support.documents import ROOT

PACKAGES: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
    "wheel"
]["packages"]


def installed_picshare(folder: Path) -> Path:
    """Build the wheel, install it in `folder`/venv, and return the path of its command; needs no package index."""
    wheels, environment = folder / "wheels", folder / "venv"
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels))
    venv.create(environment, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    # The dependencies are those that the tests use. A directory that a .pth file adds comes last, and .pth files in it
    # are not read, so the source that is installed there as editable is not found.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = str(environment / "bin" / "python")
    (wheel,) = wheels.glob("*.whl")
    _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    return environment / "bin" / "picshare"


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a package, except what Python makes of them."""
    yield from (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")


def _run(*command: str) -> None:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
