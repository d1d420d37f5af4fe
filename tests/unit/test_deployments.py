"""The shipped files for containers and systemd: valid, complete, and with enough time for a process to stop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from server.composition.roles import SERVE_ROLES, WORKER_ROLES
from tests.support import deployments
from tests.support.deployments import DEPLOY, ENOUGH, Deployed, composed, in_kubernetes, manifests, missing_roles, units
from tests.support.documents import ROOT

Read = Callable[[], Iterator[Deployed]]
ALL = pytest.mark.parametrize("read", [composed, in_kubernetes, units], ids=["compose", "kubernetes", "systemd"])


def tool(name: str, *arguments: str | Path) -> str:
    """Run a program of the virtual environment; return its output, also that of a failure."""
    program = Path(sys.executable).with_name(name)
    result = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else result.stdout + result.stderr


@ALL
def test_every_role_runs_somewhere(read: Read) -> None:
    """Each role of the command line has a process, so that no queue is without a consumer."""
    assert missing_roles({process.role for process in read()}) == set()


def test_a_missing_role_is_found() -> None:
    """The rule knows that api-read and api-write together are api, and one of them is not."""
    everything = {*SERVE_ROLES, *WORKER_ROLES}
    assert missing_roles(everything - {"api"}) == set()
    assert missing_roles(everything - {"api", "api-read"}) == {"api", "api-read"}
    assert missing_roles(everything - {"purge"}) == {"purge"}


@ALL
def test_a_process_may_take_the_time_that_it_needs_to_stop(read: Read) -> None:
    """The grace period is that of the formula for the default settings, and not much longer."""
    for process in read():
        assert process.needed < process.grace <= process.needed + ENOUGH, process
        assert (process.connections > 0) is (process.role in {"", "live"}), process


def test_the_dockerfile_is_sound() -> None:
    """Hadolint finds nothing; the process is no user of the machine and no root."""
    assert tool("hadolint", DEPLOY / "docker/Dockerfile") == ""
    lines = (DEPLOY / "docker/Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001:10001"]


def test_the_context_of_the_image_has_all_that_the_wheel_needs() -> None:
    """What .dockerignore lets through are the packages, the documentation and the locked dependencies."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    wheel = {"channels", "loadtest", "locales", "server", "static", "storage", "workers"}
    site = {"docs", "CHANGELOG.md", "hatch_build.py", "mkdocs.yml", "mkdocs_hooks.py"}
    assert kept == {*wheel, "pyproject.toml", "requirements.lock"} | site


def test_the_compose_file_is_valid() -> None:
    """It follows the specification of Compose; every process is hardened, and no secret is in the file."""
    found = deployments.compose()
    PyCompose.from_yaml(yaml.safe_dump(found))
    for name, service in found["services"].items():
        if service["image"] == "picshare":
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        values = [str(value) for key, value in service.get("environment", {}).items() if not key.endswith("_FILE")]
        assert not [value for value in values if "password" in value.lower() or "://" in value], name
        for secret in service.get("secrets", []):
            assert (secret if isinstance(secret, str) else secret["source"]) in found["secrets"]


def test_the_manifests_are_valid() -> None:
    """kubernetes-validate accepts each object of each file, without a key that Kubernetes does not know."""
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    assert tool("kubernetes-validate", "--strict", "--no-warn", *files) == ""


def test_the_pods_are_hardened_and_probed() -> None:
    """Each container is what the level "restricted" wants, with a read-only root; a Deployment of two has a budget."""
    budgets = {found["metadata"]["name"] for found in manifests() if found["kind"] == "PodDisruptionBudget"}
    for found in manifests():
        if found["kind"] not in {"Deployment", "Job"}:
            continue
        pod = found["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        name = found["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        if found["kind"] == "Deployment":
            paths = {probe: container[probe]["httpGet"]["path"] for probe in container if probe.endswith("Probe")}
            wanted = {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
            assert paths == wanted, name
            assert (found["spec"]["replicas"] > 1) is (name in budgets), name
            labels = found["spec"]["template"]["metadata"]["labels"]
            assert found["spec"]["selector"]["matchLabels"] == labels, name


def test_the_services_lead_to_pods() -> None:
    """Each selector of a Service or a budget has the labels of a Deployment."""
    pods = [found["spec"]["template"]["metadata"]["labels"] for found in manifests() if found["kind"] == "Deployment"]
    for found in manifests():
        if found["kind"] == "Service":
            assert found["spec"]["selector"] in pods
        if found["kind"] == "PodDisruptionBudget":
            assert found["spec"]["selector"]["matchLabels"] in pods


def test_the_target_of_systemd_names_units_that_exist() -> None:
    """Each unit that the target wants has a file."""
    wanted = [
        word
        for line in (deployments.UNITS / "picshare.target").read_text().splitlines()
        if line.startswith("Wants=")
        for word in line.removeprefix("Wants=").split()
    ]
    assert wanted
    for unit in wanted:
        assert (deployments.UNITS / f"{unit.partition('@')[0]}@.service").is_file(), unit
