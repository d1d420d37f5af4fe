"""The command `picshare loadtest`."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from loadtest.community.token_file import read_tokens
from loadtest.errors import LoadTestError
from loadtest.plan import SOCKETS_OF_ONE, Plan
from loadtest.profiles import PROFILES, Profile, ProfileName
from server.cli.options import run_async

_LOAD, _PEOPLE, _WAY, _OUTCOME = "Load", "People", "The way there", "Outcome"
_PROFILES = "; ".join(f"{name.value}: {profile.purpose}" for name, profile in PROFILES.items())

UrlArgument = Annotated[str, typer.Argument(help="The address of the service, as people type it.")]
SocketsOption = Annotated[int, typer.Option("--sockets", min=1, help="Live connections.", rich_help_panel=_LOAD)]
RateOption = Annotated[
    float, typer.Option("--rate", min=0.1, help="Connections begun a second.", rich_help_panel=_LOAD)
]
ProfileOption = Annotated[
    ProfileName, typer.Option("--profile", help=f"What people do. {_PROFILES}.", rich_help_panel=_LOAD)
]
SecondsOption = Annotated[
    float, typer.Option("--seconds", min=1, help="Traffic, once all are connected.", rich_help_panel=_LOAD)
]
ProcessesOption = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        max=256,
        help=f"Tester processes.  \\[default: one for {SOCKETS_OF_ONE:,} sockets, up to this machine's cores]",
        rich_help_panel=_LOAD,
    ),
]
LikesOption = Annotated[
    float | None, typer.Option("--likes", min=0, help="Likes a second, given or taken back.", rich_help_panel=_LOAD)
]
UploadsOption = Annotated[
    float | None, typer.Option("--uploads", min=0, help="Photos a second.", rich_help_panel=_LOAD)
]
ReadsOption = Annotated[
    float | None, typer.Option("--reads", min=0, help="Feed pages a second.", rich_help_panel=_LOAD)
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
    Path | None, typer.Option("--photo", help="JPEG to upload.  \\[default: one of 110 KB]", rich_help_panel=_LOAD)
]
PatienceOption = Annotated[
    float, typer.Option("--patience", min=0.5, help="Seconds after which a delivery is lost.", rich_help_panel=_LOAD)
]
PeopleOption = Annotated[
    int | None,
    typer.Option(
        "--people", min=2, help="Accounts to sign up.  \\[default: as few as needed]", rich_help_panel=_PEOPLE
    ),
]
PerPersonOption = Annotated[
    int,
    typer.Option(
        "--per-person", min=1, help="Sockets of one person (live.connections_per_user).", rich_help_panel=_PEOPLE
    ),
]
FollowersOption = Annotated[
    int | None, typer.Option("--followers", min=0, help="People who hear of each photo.", rich_help_panel=_PEOPLE)
]
TokensOption = Annotated[
    Path | None,
    typer.Option("--tokens", help="People who exist: a file, one line each (see the guide).", rich_help_panel=_PEOPLE),
]
KeepOption = Annotated[
    Path | None,
    typer.Option("--keep", help="Keep the accounts, and write their tokens to this file.", rich_help_panel=_PEOPLE),
]
PrepareOption = Annotated[
    float,
    typer.Option("--prepare-within", min=1, help="Seconds that the people's making may take.", rich_help_panel=_PEOPLE),
]
LiveOption = Annotated[
    list[str] | None,
    typer.Option("--live", help="A live endpoint elsewhere; repeat for several.", rich_help_panel=_WAY),
]
CaOption = Annotated[
    Path | None, typer.Option("--ca", help="Trust the authorities in this PEM file, too.", rich_help_panel=_WAY)
]
InsecureOption = Annotated[bool, typer.Option("--insecure", help="Trust every certificate.", rich_help_panel=_WAY)]
SourceOption = Annotated[
    list[str] | None,
    typer.Option("--source", help="An address of this machine to connect from; repeat.", rich_help_panel=_WAY),
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the figures here.", rich_help_panel=_OUTCOME)]
PictureOption = Annotated[
    Path | None, typer.Option("--picture", help="Write a picture (SVG) here.", rich_help_panel=_OUTCOME)
]


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
    people: PeopleOption = None,
    per_person: PerPersonOption = 20,
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
    """Hold many live connections against a PicShare, act, and prove what was told to whom.

    Signs up people of its own and deletes them afterwards. Ctrl-C ends it with what was measured so far.

    Exit code 1 when deliveries were lost, came twice or out of order, or sockets were not taken or not kept.

    Example: [bold]picshare loadtest https://photos.example.com --sockets 5000 --profile storm --picture load.svg[/bold]
    """
    _require_picows()
    chosen = _with_changes(
        PROFILES[profile],
        likes=likes,
        uploads=uploads,
        reads=reads,
        followers=followers,
        storm_every=storm_every,
        storm_share=storm_share,
    )
    from loadtest import run, target  # noqa: PLC0415 - heavy, and only needed here
    from loadtest.report import output as outcome  # noqa: PLC0415
    from loadtest.report.progress import Progress  # noqa: PLC0415

    base = target.base_of(url)
    plan = Plan(
        url=base,
        live=target.live_of(base, live or ()),
        profile_name=profile,
        profile=chosen,
        sockets=sockets,
        rate=rate,
        seconds=seconds,
        processes=processes or _processes(sockets),
        people=people or 0,
        per_person=per_person,
        tokens=read_tokens(tokens) if tokens else (),
        keep=keep,
        ca=ca,
        insecure=insecure,
        sources=tuple(source or ()),
        photo=photo,
        patience=patience,
        prepare_within=prepare_within,
    )
    outcome.check_files(json, picture, keep)
    result = run_async(run.run(run.check(plan), Progress(Console(stderr=True))))
    outcome.tell(result.summary, Console(), json=json, picture=picture)
    if result.notice:
        typer.echo(f"picshare: {result.notice}", err=True)
    if result.failure is not None:
        raise result.failure
    if not result.summary.well:
        raise typer.Exit(1)


def _require_picows() -> None:
    if find_spec("picows") is None:
        raise LoadTestError("The load test needs the package picows: pip install 'picshare[loadtest]'.")


def _processes(sockets: int) -> int:
    return min(-(-sockets // SOCKETS_OF_ONE), os.cpu_count() or 1)


def _with_changes(profile: Profile, **changes: float | None) -> Profile:
    return replace(profile, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
