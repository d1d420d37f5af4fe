"""Which folder of a package imports which."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tests.unit.test_architecture import imports_of

ROOT = Path(__file__).parents[2]


def arrows_between(package: str, folders: Collection[str]) -> dict[str, set[str]]:
    """Return the folders that each folder of a package imports; "" is what is in the package itself."""
    found: dict[str, set[str]] = {folder: set() for folder in folders}
    directory = ROOT / package.replace(".", "/")
    for path in directory.rglob("*.py"):
        folder = path.parent.relative_to(directory).as_posix().strip(".")
        for module, _ in imports_of(path.read_text()):
            if module.startswith(f"{package}."):
                other = module.removeprefix(f"{package}.").split(".")[0]
                found[folder].add(other if other in folders else "")
    return {folder: others - {folder} for folder, others in found.items()}
