"""A parent with several serving processes of one role."""

from __future__ import annotations

import sys
from pathlib import Path

from server.composition.certificates import require_certificates
from server.composition.listeners import bound_plain
from server.composition.roles import require_backends
from server.config.settings import Settings
from server.operation.listening import bound
from server.operation.process_group import ProcessGroup


async def run_group(role: str, settings: Settings, size: int, *, config: Path | None) -> int:
    """Run `size` serving processes of a role until a signal arrives; return the exit code.

    They read the configuration file and the environment themselves, and get the port that is bound here. Raises
    `ConfigError` and `StartError`.
    """
    require_backends(role, settings)
    require_certificates(settings)
    with bound(settings.server.host, settings.server.port) as service, bound_plain(settings) as plain:
        port = str(service[0].getsockname()[1])
        # -P: the working directory may have modules of the same names.
        command = [sys.executable, "-P", "-m", "server.cli", "serve", "--role", role]
        command += ["--host", settings.server.host, "--port", port]
        command += ["--config", str(config)] if config is not None else []
        return await ProcessGroup(command, size, service=service, plain=plain).run()
