"""Build hook of Hatchling: the documentation as a site, which the service has at `/docs/`."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from mkdocs.commands.build import build
from mkdocs.config import load_config

_SITE = "static/site"


class DocumentationHook(BuildHookInterface[Any]):
    """Makes the site for each wheel, and in the repository for each editable installation.

    Warnings, as of a link that leads nowhere, are errors. A wheel has a site of its own, so that several can be built
    at once, and while a service uses that of the repository.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the site."""
        if version == "editable":
            self._build(Path(self.root, _SITE))
            return
        self._folder = tempfile.TemporaryDirectory(prefix="picshare-docs-")
        self._build(Path(self._folder.name))
        build_data["force_include"][self._folder.name] = _SITE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Remove the site that is in the wheel now."""
        if version != "editable":
            self._folder.cleanup()

    def _build(self, site: Path) -> None:
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
        build(load_config(str(Path(self.root, "mkdocs.yml")), strict=True, site_dir=str(site)))
