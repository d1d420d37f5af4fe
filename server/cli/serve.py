"""The commands that run the service: `run`, `serve`, `worker` and `migrate`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from server.composition.roles import EVERYTHING, SERVE_ROLES, WORKER_ROLES, require_backends
from server.config.settings import Settings
from server.operation.process_link import Inherited

HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on.  \\[default: server.host]")]
PortOption = Annotated[
    int | None, typer.Option("--port", help="Port to listen on; 0 selects a free port.  \\[default: server.port]")
]
HealthPortOption = Annotated[
    int | None, typer.Option("--health-port", help="Port for /healthz, /readyz and /metrics.  \\[default: none]")
]


def _one_of(roles: Mapping[str, str]) -> Callable[[str], str]:
    """Return a callback that accepts the names of `roles` and no other."""

    def check(name: str) -> str:
        if name not in roles:
            raise typer.BadParameter(f"'{name}' is not one of {', '.join(roles)}.")
        return name

    return check


def _described(roles: Mapping[str, str]) -> str:
    return "; ".join(f"[bold]{name}[/bold] {does}" for name, does in roles.items()) + "."


# The roles come from the registry of workers, so these are not enumerations that are written out here.
ServeRole = Annotated[
    str,
    typer.Option("--role", callback=_one_of(SERVE_ROLES), metavar="|".join(SERVE_ROLES), help=_described(SERVE_ROLES)),
]
WorkerRole = Annotated[
    str, typer.Argument(callback=_one_of(WORKER_ROLES), metavar="ROLE", help=_described(WORKER_ROLES))
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(run)
    app.command()(serve)
    app.command()(worker)
    app.command()(migrate)


def run(
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    data: DataOption = None,
    demo: Annotated[bool, typer.Option(help="Fill an empty database with a demonstration community.")] = True,
) -> None:
    """Run everything in one process, with its own PostgreSQL and Valkey.

    Nothing has to be installed first. All data is in the data directory.
    Stop with Ctrl-C.

    Example: [bold]picshare run --port 9000 --data ~/photos[/bold]
    """
    settings = settings_for(config, data=data, host=host, port=port)
    from server.composition.process import run_role  # noqa: PLC0415 - heavy, and only needed here

    run_async(run_role(EVERYTHING, settings, with_demo=demo))


def serve(
    role: ServeRole,
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
    *,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that share the port.")] = 1,
    inherited: Annotated[str | None, typer.Option("--inherited", hidden=True)] = None,
) -> None:
    """Serve the API or live connections, with backends that all processes share.

    Run as many processes of each role as needed behind a load balancer;
    [bold]--workers[/bold] starts several on one port.
    The settings [bold]database.url[/bold], [bold]redis.url[/bold], [bold]broker.url[/bold]
    and [bold]auth.secret[/bold] must be set.

    Example: [bold]picshare serve --role live --port 8081[/bold]
    """
    settings = settings_for(config, host=host, port=port, quiet=False)
    if workers == 1:
        # The option is what a parent gives to its serving processes.
        _start(role, settings, None if inherited is None else Inherited.from_text(inherited))
        return
    require_backends(role, settings)
    from server.composition.process_group import run_group  # noqa: PLC0415 - heavy, and only needed here

    code = run_async(run_group(role, settings, workers, config=config))
    if code:
        raise typer.Exit(code)


def worker(
    role: WorkerRole,
    config: ConfigOption = None,
    health_port: HealthPortOption = None,
) -> None:
    """Run one background worker, with backends that all processes share.

    Run as many processes of each role as needed; one janitor is enough.
    The same settings must be set as for [bold]picshare serve[/bold].

    Example: [bold]picshare worker media --health-port 9101[/bold]
    """
    settings = settings_for(config, quiet=False)
    if health_port is not None:
        settings = settings.with_values("worker", health_port=health_port)
    _start(role, settings)


def migrate(config: ConfigOption = None, data: DataOption = None) -> None:
    """Apply the database migrations of this version.

    Repeating the command does no harm, and neither does running it twice at
    the same time. [bold]picshare run[/bold] applies migrations by itself; with
    separate processes, apply them before the processes start.

    Example: [bold]picshare migrate --config /etc/picshare.toml[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    applied = run_async(commands.migrate(settings))
    typer.echo(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")


def _start(role: str, settings: Settings, inherited: Inherited | None = None) -> None:
    # Checked here as well, so that a wrong configuration is reported before the heavy imports.
    require_backends(role, settings)
    from server.composition.process import run_role  # noqa: PLC0415 - heavy, and only needed here

    run_async(run_role(role, settings, inherited=inherited))
