"""The commands that run the service: `run`, `serve`, `worker` and `migrate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from server.cli.options import ConfigOption, DataOption, run_async, settings_for
from server.composition.roles import Role, require_backends
from server.config.settings import Settings

HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on.  \\[default: server.host]")]
PortOption = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 takes a free one.")]
HealthPortOption = Annotated[
    int | None, typer.Option("--health-port", help="Port for /healthz, /readyz and /metrics.  \\[default: none]")
]


class ServeRole(StrEnum):
    """Parts of the edge that stand alone."""

    API = Role.API.value
    LIVE = Role.LIVE.value


class WorkerRole(StrEnum):
    """Kinds of work that stand alone."""

    MEDIA = Role.MEDIA.value
    FANOUT = Role.FANOUT.value
    NOTIFY = Role.NOTIFY.value
    RELAY = Role.RELAY.value
    JANITOR = Role.JANITOR.value


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
    demo: Annotated[bool, typer.Option(help="On an empty database, bring a small living community.")] = True,
) -> None:
    """Run everything in one process, with PostgreSQL and Valkey of its own.

    Needs nothing installed by hand; keeps all it has in the data directory. Stop it with Ctrl-C.

    Example: [bold]picshare run --port 9000 --data ~/photos[/bold]
    """
    settings = settings_for(config, data=data, host=host, port=port)
    from server.composition.process import run_role  # noqa: PLC0415 - heavy, and only needed here

    run_async(run_role(Role.EVERYTHING, settings, with_demo=demo))


def serve(
    role: Annotated[ServeRole, typer.Option("--role", help="What to serve: api (REST, images, pages) or live.")],
    config: ConfigOption = None,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Serve one part of the edge, on backends that other processes share.

    Run as many of each as you like behind a load balancer; [bold]database.url[/bold], [bold]redis.url[/bold],
    [bold]broker.url[/bold] and [bold]auth.secret[/bold] must be set.

    Example: [bold]picshare serve --role live --port 8081[/bold]
    """
    _run_one(Role(role.value), config, host, port)


def worker(
    role: Annotated[WorkerRole, typer.Argument(help="Which work to do.")],
    config: ConfigOption = None,
    health_port: HealthPortOption = None,
) -> None:
    """Do one kind of work in the background, on backends that other processes share.

    media makes image variants, fanout fills feeds, notify tells people, relay hands events from the
    database to RabbitMQ, janitor tidies up.

    Example: [bold]picshare worker media --health-port 9101[/bold]
    """
    settings = settings_for(config, quiet=False)
    if health_port is not None:
        settings = settings.with_values("worker", health_port=health_port)
    _start(Role(role.value), settings)


def migrate(config: ConfigOption = None, data: DataOption = None) -> None:
    """Bring the database to the schema of this version; safe to repeat, and at the same time.

    [bold]picshare run[/bold] does it by itself; with separate processes run it before they start.

    Example: [bold]picshare migrate --config /etc/picshare.toml[/bold]
    """
    settings = settings_for(config, data=data)
    from server.administration import commands  # noqa: PLC0415 - heavy, and only needed here

    applied = run_async(commands.migrate(settings))
    typer.echo(f"Applied {', '.join(applied)}." if applied else "The database is up to date.")


def _run_one(role: Role, config: Path | None, host: str | None, port: int | None) -> None:
    _start(role, settings_for(config, host=host, port=port, quiet=False))


def _start(role: Role, settings: Settings) -> None:
    require_backends(role, settings)
    from server.composition.process import run_role  # noqa: PLC0415 - heavy, and only needed here

    run_async(run_role(role, settings))
