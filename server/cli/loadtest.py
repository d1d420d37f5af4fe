"""The command `picshare loadtest`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loadtest.community.token_file import read_tokens
from loadtest.errors import LoadTestError
from loadtest.plan import SOCKETS_PER_PROCESS, Plan
from loadtest.profiles import PROFILES, Profile, ProfileName
from server.cli.options import run_async
from server.errors import ServerError

_LOAD, _USERS, _CONNECTION, _RESULT = "Load", "Users", "Connection", "Result"
_PROFILES = "; ".join(f"{name.value}: {profile.purpose}" for name, profile in PROFILES.items())

UrlArgument = Annotated[str, typer.Argument(help="Address of the service, as users open it.")]
SocketsOption = Annotated[
    int, typer.Option("--sockets", min=1, help="Number of live connections.", rich_help_panel=_LOAD)
]
RateOption = Annotated[
    float, typer.Option("--rate", min=0.1, help="New connections per second.", rich_help_panel=_LOAD)
]
ProfileOption = Annotated[
    ProfileName, typer.Option("--profile", help=f"Kind of traffic. {_PROFILES}.", rich_help_panel=_LOAD)
]
SecondsOption = Annotated[
    float,
    typer.Option("--seconds", min=1, help="Duration of the traffic, once all are connected.", rich_help_panel=_LOAD),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        max=256,
        help=f"Tester processes.  \\[default: one per {SOCKETS_PER_PROCESS:,} sockets, up to this machine's cores]",
        rich_help_panel=_LOAD,
    ),
]
LikesOption = Annotated[
    float | None, typer.Option("--likes", min=0, help="Likes per second, added or removed.", rich_help_panel=_LOAD)
]
UploadsOption = Annotated[
    float | None, typer.Option("--uploads", min=0, help="Photos per second.", rich_help_panel=_LOAD)
]
ReadsOption = Annotated[
    float | None, typer.Option("--reads", min=0, help="Feed pages per second.", rich_help_panel=_LOAD)
]
StormEveryOption = Annotated[
    float | None,
    typer.Option("--storm-every", min=0, help="Seconds between two storms; 0: none.", rich_help_panel=_LOAD),
]
StormShareOption = Annotated[
    float | None,
    typer.Option("--storm-share", min=0, max=1, help="Share of the sockets that a storm cuts.", rich_help_panel=_LOAD),
]
PhotoOption = Annotated[
    Path | None,
    typer.Option("--photo", help="JPEG to upload.  \\[default: a bundled one of 100 KB]", rich_help_panel=_LOAD),
]
PatienceOption = Annotated[
    float,
    typer.Option(
        "--patience", min=0.5, help="Seconds after which a missing delivery counts as lost.", rich_help_panel=_LOAD
    ),
]
UsersOption = Annotated[
    int | None,
    typer.Option("--users", min=2, help="Accounts to create.  \\[default: as few as needed]", rich_help_panel=_USERS),
]
SocketsPerUserOption = Annotated[
    int,
    typer.Option(
        "--sockets-per-user",
        min=1,
        help="Most sockets of one user (see live.connections_per_user).",
        rich_help_panel=_USERS,
    ),
]
FollowersOption = Annotated[
    int | None, typer.Option("--followers", min=0, help="Followers of each author.", rich_help_panel=_USERS)
]
TokensOption = Annotated[
    Path | None,
    typer.Option("--tokens", help="Use existing accounts: a file with one token per line.", rich_help_panel=_USERS),
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", help="Keep the accounts, and write their tokens to this file.", rich_help_panel=_USERS),
]
PrepareOption = Annotated[
    float,
    typer.Option("--prepare-within", min=1, help="Seconds allowed for creating the accounts.", rich_help_panel=_USERS),
]
LiveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--live", help="Live endpoint, if it has another address; may be repeated.", rich_help_panel=_CONNECTION
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option("--ca", help="Also trust the authorities in this PEM file.", rich_help_panel=_CONNECTION),
]
InsecureOption = Annotated[
    bool, typer.Option("--insecure", help="Accept every certificate.", rich_help_panel=_CONNECTION)
]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", help="Local address to connect from; may be repeated.", rich_help_panel=_CONNECTION),
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Write the figures to this file as JSON.", rich_help_panel=_RESULT)
]
PictureOption = Annotated[
    Path | None, typer.Option("--picture", help="Write charts to this file as SVG.", rich_help_panel=_RESULT)
]


class LoadTestFailedError(ServerError):
    """A `LoadTestError` as an error of the command line, which prints it and exits with code 2."""


def add_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(loadtest)


def loadtest(  # noqa: PLR0917 - a command's parameters are its options
    url: UrlArgument = "http://127.0.0.1:8080",
    sockets: SocketsOption = 100,
    rate: RateOption = 200.0,
    profile: ProfileOption = ProfileName.MIXED,
    seconds: SecondsOption = 30.0,
    processes: ProcessesOption = None,
    likes: LikesOption = None,
    uploads: UploadsOption = None,
    reads: ReadsOption = None,
    storm_every: StormEveryOption = None,
    storm_share: StormShareOption = None,
    photo: PhotoOption = None,
    patience: PatienceOption = 10.0,
    users: UsersOption = None,
    sockets_per_user: SocketsPerUserOption = 20,
    followers: FollowersOption = None,
    tokens: TokensOption = None,
    keep: KeepOption = None,
    prepare_within: PrepareOption = 600.0,
    live: LiveOption = None,
    ca: CaOption = None,
    insecure: InsecureOption = False,
    source: SourceOption = None,
    json: JsonOption = None,
    picture: PictureOption = None,
) -> None:
    """Hold many live connections to a PicShare, cause traffic, and verify every delivery.

    Creates its own accounts and deletes them afterwards. Ctrl-C ends the test early and reports what was measured.

    Exit code 1: deliveries were lost, duplicated or out of order, or sockets could not connect or stay connected.

    Example: [bold]picshare loadtest https://photos.example.com --sockets 5000 --profile storm --picture load.svg[/bold]
    """
    chosen = _with_changes(
        PROFILES[profile],
        likes=likes,
        uploads=uploads,
        reads=reads,
        followers=followers,
        storm_every=storm_every,
        storm_share=storm_share,
    )
    with _errors_of_the_command():
        _require_picows()
        from loadtest import run, target  # noqa: PLC0415 - slow to import, and only needed here
        from loadtest.report import output  # noqa: PLC0415
        from loadtest.report.progress import Progress  # noqa: PLC0415

        base = target.base_url(url)
        plan = Plan(
            url=base,
            live=target.live_urls(base, live or ()),
            profile_name=profile,
            profile=chosen,
            sockets=sockets,
            rate=rate,
            seconds=seconds,
            processes=processes or _processes(sockets),
            users=users or 0,
            sockets_per_user=sockets_per_user,
            tokens=read_tokens(tokens) if tokens else (),
            keep=keep,
            ca=ca,
            insecure=insecure,
            sources=tuple(source or ()),
            photo=photo,
            patience=patience,
            prepare_within=prepare_within,
        )
        output.check_files(json, picture, keep)
        result = run_async(run.run(run.check(plan), Progress(Console(stderr=True))))
        output.write_results(result.summary, Console(), json=json, picture=picture)
        if result.notice:
            typer.echo(f"picshare: {result.notice}", err=True)
        if result.failure is not None:
            raise result.failure
    if not result.summary.well:
        raise typer.Exit(1)


@contextmanager
def _errors_of_the_command() -> Iterator[None]:
    """Raise `LoadTestFailedError` for a `LoadTestError`: the load tester knows nothing of the server's errors."""
    try:
        yield
    except LoadTestError as error:
        raise LoadTestFailedError(str(error)) from error


def _require_picows() -> None:
    if find_spec("picows") is None:
        raise LoadTestError("The load test needs the package picows: pip install 'picshare[loadtest]'.")


def _processes(sockets: int) -> int:
    return min(-(-sockets // SOCKETS_PER_PROCESS), os.cpu_count() or 1)


def _with_changes(profile: Profile, **changes: float | None) -> Profile:
    return replace(profile, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
