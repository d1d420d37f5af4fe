"""The shipped files for systemd, Compose and Kubernetes: which roles they run, and how long each may take to stop."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from server.composition.roles import API, API_READ, API_WRITE, LIVE, SERVE_ROLES, WORKER_ROLES
from server.config.settings import Settings
from tests.support.documents import ROOT

DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
ENOUGH = 15.0  # seconds by which a grace period may exceed what is needed
_CLOSE = 6.0  # seconds: clients that do not answer a close message are cut off after 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """A process of a deployment: its role ("" for `run`), and its grace period in seconds.

    `connections` is the number of live connections for which the grace period is made, `drain_delay` in seconds.
    """

    name: str
    role: str
    grace: float
    connections: int = 0
    drain_delay: float = 0.0

    @property
    def needed(self) -> float:
        """Return the seconds that a stop may take, by the formula in docs/upgrade.md."""
        settings = Settings()
        drain = max(settings.live.drain_seconds, self.connections / settings.live.drain_rate)
        return self.drain_delay + drain + _CLOSE + settings.server.shutdown_deadline


def missing_roles(found: set[str]) -> set[str]:
    """Return the roles without a process; api-read and api-write together do what api does."""
    wanted = {*SERVE_ROLES, *WORKER_ROLES}
    if API in found:
        wanted -= {API_READ, API_WRITE}
    elif found >= {API_READ, API_WRITE}:
        wanted -= {API}
    return wanted - found


def compose() -> Mapping[str, Any]:
    """Return the Compose file, with its anchors and merges resolved."""
    found: Mapping[str, Any] = yaml.safe_load((DEPLOY / "compose/compose.yaml").read_text())
    return found


def composed() -> Iterator[Deployed]:
    """Yield the processes of the Compose file."""
    text = (DEPLOY / "compose/compose.yaml").read_text()
    for name, service in compose()["services"].items():
        if service["image"] == "picshare" and service["command"] != ["migrate"]:
            block = text.partition(f"\n  {name}:\n")[2].partition("\n\n")[0]
            grace = float(service["stop_grace_period"].removesuffix("s"))
            role = role_of(service["command"])
            yield Deployed(name=name, role=role, grace=grace, connections=_connections(block) if role == LIVE else 0)


def manifests() -> Iterator[Mapping[str, Any]]:
    """Yield the objects of all Kubernetes manifests."""
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def in_kubernetes() -> Iterator[Deployed]:
    """Yield the processes of the Deployments."""
    (config,) = (found for found in manifests() if found["kind"] == "ConfigMap")
    for found in manifests():
        if found["kind"] == "Deployment":
            template = found["spec"]["template"]
            notes = template["metadata"].get("annotations", {})
            (container,) = template["spec"]["containers"]
            yield Deployed(
                name=found["metadata"]["name"],
                role=role_of(container["args"]),
                grace=float(template["spec"]["terminationGracePeriodSeconds"]),
                connections=int(notes.get("picshare/live-connections", 0)),
                drain_delay=float(config["data"]["PICSHARE_SERVER__DRAIN_DELAY"]),
            )


def units() -> Iterator[Deployed]:
    """Yield the processes of the systemd units; a template of workers has one for each instance of the target."""
    target = (UNITS / "picshare.target").read_text()
    for path in sorted(UNITS.glob("*.service")):
        text = path.read_text()
        (grace,) = re.findall(r"^TimeoutStopSec=(\d+)s$", text, re.MULTILINE)
        (command,) = re.findall(r"^ExecStart=\S+/picshare (.+)$", text, re.MULTILINE)
        instances = re.findall(rf"\b{re.escape(path.stem)}(\S+)\.service", target) if path.stem.endswith("@") else [""]
        for instance in instances or ["8080"]:
            role = role_of(shlex.split(command.replace("%i", instance)))
            yield Deployed(name=path.stem + instance, role=role, grace=float(grace), connections=_connections(text))


def role_of(command: list[str]) -> str:
    """Return the role that a command of `picshare` runs."""
    match command:
        case ["serve", "--role", role, *_] | ["worker", role, *_]:
            return role
        case ["run", *_]:
            return ""
        case _:
            raise AssertionError(f"no role: {command}")


def _connections(text: str) -> int:
    found = re.search(r"# For ([\d,]+) live connections", text)
    return int(found[1].replace(",", "")) if found is not None else 0


def with_program(folder: Path, program: Path) -> Path:
    """Copy the systemd units into a folder with another program, which exists on this machine; return the folder."""
    for path in sorted(UNITS.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(UNITS)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text().replace("/opt/picshare/bin/picshare", str(program)))
    return folder
