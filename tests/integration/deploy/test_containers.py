"""The shipped files for systemd and Compose, run by the programs that read them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.composition.roles import SERVE_ROLES, WORKER_ROLES, require_backends
from server.config.loading import load_settings
from tests.engines.private import free_port
from tests.support.deployments import DEPLOY, compose, units, with_program

pytestmark = pytest.mark.engines

EXPOSURE = 2.0  # of ten, by `systemd-analyze security`; 9.6 without any of the settings


@pytest.fixture
def analyze() -> str:
    """The program that checks units."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    return found


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output."""
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_units_are_valid(analyze: str, tmp_path: Path) -> None:
    """Systemd knows every line of each unit, those of the common settings and of TLS included."""
    folder = with_program(tmp_path, Path(sys.executable))
    for unit in ("picshare-live@", "picshare-run"):
        (folder / f"{unit}.service.d").mkdir()
        shutil.copy(folder / "tls.conf", folder / f"{unit}.service.d")
    names = [folder / f"{process.name}.service" for process in units()] + [folder / "picshare.target"]
    verified = run(analyze, "verify", "--man=no", *names, SYSTEMD_UNIT_PATH=f"{folder}:")
    ours = [line for line in verified.stderr.splitlines() if "picshare" in line]
    assert (ours, verified.returncode) == ([], 0), verified.stderr


def test_a_wrong_line_of_a_unit_is_found(analyze: str, tmp_path: Path) -> None:
    """The check reads the common settings, too."""
    folder = with_program(tmp_path, Path(sys.executable))
    common = folder / "picshare-.service.d/common.conf"
    common.write_text(common.read_text().replace("KillMode=mixed", "KillMode=some"))
    verified = run(analyze, "verify", "--man=no", folder / "picshare-run.service", SYSTEMD_UNIT_PATH=f"{folder}:")
    assert "common.conf" in verified.stderr


def test_the_units_expose_little(analyze: str, tmp_path: Path) -> None:
    """The exposure that systemd computes of the common settings is low."""
    folder = with_program(tmp_path, Path(sys.executable))
    found = run(
        analyze,
        "security",
        "--offline=yes",
        "--no-pager",
        folder / "picshare-run.service",
        SYSTEMD_UNIT_PATH=f"{folder}:",
    )
    (exposure,) = re.findall(r"Overall exposure level for picshare-run.service: ([\d.]+)", found.stdout)
    assert float(exposure) <= EXPOSURE


def test_the_secrets_of_compose_are_complete(tmp_path: Path) -> None:
    """The script makes each file that is named; the settings are accepted for every role, and made only once."""
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets*", ".env"))
    folder = tmp_path / "deploy/compose"
    made = run(folder / "make-secrets", "photos.test")
    assert made.returncode == 0, made.stderr
    for secret in compose()["secrets"].values():
        assert (folder / secret["file"]).stat().st_size
    settings = load_settings(folder / "secrets/picshare.toml")
    for role in (*SERVE_ROLES, *WORKER_ROLES):
        require_backends(role, settings)
    assert settings.auth.secret is not None
    assert settings.public_url == "https://photos.test"
    assert run(folder / "make-secrets", "photos.test").returncode == 1


def test_the_site_of_compose_names_services(tmp_path: Path) -> None:
    """The site passes requests to services of the Compose file alone, with its secrets."""
    site = run(DEPLOY / "compose/site", DEPLOY / "nginx/site.conf", PICSHARE_DOMAIN="photos.test").stdout
    hosts = set(re.findall(r"^\s*server ([\w.-]+):\d+ ", site, re.MULTILINE))
    assert hosts == {"api-read", "api-write", "live"}
    assert hosts <= set(compose()["services"])
    secrets = set(re.findall(r"/run/secrets/([\w.]+)", site))
    assert secrets == {"keys.conf", "certificate.pem", "certificate.key"}
    assert "photos.example.com" not in site
    assert "127.0.0.1" not in site


def test_nginx_accepts_the_site_of_compose(tmp_path: Path) -> None:
    """With addresses in place of the names of services, which only Compose knows, its configuration is valid."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets*", ".env"))
    made = run(tmp_path / "deploy/compose/make-secrets", "photos.test")
    assert made.returncode == 0, made.stderr
    site = run(DEPLOY / "compose/site", DEPLOY / "nginx/site.conf", PICSHARE_DOMAIN="photos.test").stdout
    site = re.sub(r"^( *server) [a-z-]+:8080 ", r"\1 127.0.0.1:1 ", site, flags=re.MULTILINE)
    site = re.sub(r"listen \d+", lambda _: f"listen {free_port()}", site)
    for path in (tmp_path / "deploy/nginx/picshare").iterdir():
        path.write_text(re.sub(r"/var/(?:log|cache)/nginx", str(tmp_path), path.read_text()))
    shutil.copytree(tmp_path / "deploy/nginx/picshare", tmp_path / "picshare")
    site = site.replace("/run/secrets", str(tmp_path / "deploy/compose/secrets")).replace(
        "/var/cache/nginx", str(tmp_path)
    )
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{site}\n}}\n")
    tested = run(nginx, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "error.log")
    assert tested.returncode == 0, tested.stderr
