"""The command line: its error sentences and exit codes, in this process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from server.cli import loadtest, main
from server.cli.main import build_app


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run `picshare` with arguments and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["picshare", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    code = caught.value.code
    assert isinstance(code, int)
    return code


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERMINAL_WIDTH", "200")


def test_a_mistyped_key_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A configuration error is one line on standard error, without a traceback."""
    Path("config.toml").write_text("[server]\nprot = 1\n")
    assert call(monkeypatch, "run") == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "picshare: Unknown key server.prot in config.toml; did you mean server.port?\n"


@pytest.mark.parametrize(
    ("arguments", "variables", "key"),
    [
        (("serve", "--role", "api"), {}, "database.url"),
        (("worker", "media"), {"DATABASE__URL": "postgresql://x/y"}, "redis.url"),
        (("worker", "relay"), {"DATABASE__URL": "postgresql://x/y", "REDIS__URL": "redis://x"}, "broker.url"),
        (
            ("serve", "--role", "live"),
            {"DATABASE__URL": "postgresql://x/y", "REDIS__URL": "redis://x", "BROKER__URL": "amqp://x"},
            "auth.secret",
        ),
    ],
)
def test_a_separate_role_refuses_private_backends(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    variables: dict[str, str],
    key: str,
) -> None:
    """The error names the key whose backend other processes cannot reach."""
    for name, value in variables.items():
        monkeypatch.setenv(f"PICSHARE_{name}", value)
    assert call(monkeypatch, *arguments) == 2
    assert capsys.readouterr().err.startswith(f"picshare: {key} is ")


@pytest.mark.parametrize(
    ("arguments", "roles"),
    [
        (("worker", "medai"), "media, fanout, notify, bulk, video, webhooks, purge, relay, janitor"),
        (("serve", "--role", "media"), "api, api-read, api-write, live"),
    ],
)
def test_an_unknown_role_lists_the_roles(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], roles: str
) -> None:
    """A role that the command does not run is refused with the names of those that it does."""
    assert call(monkeypatch, *arguments) == 2
    assert f"'{arguments[-1]}' is not one of {roles}." in capsys.readouterr().err


def test_an_unknown_queue_lists_the_queues(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A queue that does not exist is refused with the names of the queues."""
    assert call(monkeypatch, "deadletters", "list", "--queue", "medai") == 2
    assert (
        "'medai' is not one of media, fanout, notify, bulk, discover, abuse, mail, exports, imports, deferred, "
        "variants, video, webhooks, reviews, deliver, purge, forget, warm." in capsys.readouterr().err
    )


def test_help_has_an_example_for_every_command() -> None:
    """The help of every command, also in groups, has an example."""
    app = build_app()
    groups = [app, *(group.typer_instance for group in app.registered_groups if group.typer_instance is not None)]
    commands = [command.callback for group in groups for command in group.registered_commands]
    assert len(commands) >= 14
    for command in commands:
        assert command is not None
        assert "Example: [bold]picshare " in (command.__doc__ or ""), command


def test_help_loads_no_heavy_packages() -> None:
    """Help is fast, because neither drivers nor the HTTP server are imported for it."""
    code = (
        "import sys; sys.argv = ['picshare', '--help']\n"
        "import server.cli\n"
        "heavy = {'aiohttp', 'asyncpg', 'redis', 'aio_pika', 'PIL', 'picows', 'prometheus_client'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )

    async def run() -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, cwd=Path(__file__).parents[4], stderr=asyncio.subprocess.PIPE
        )
        _, error = await process.communicate()
        return process.returncode, error

    assert asyncio.run(run()) == (0, b"")


def test_dead_letters_need_ids_or_all(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Replaying without ids and without --all is an error that says how to find the ids."""
    assert call(monkeypatch, "deadletters", "replay") == 2
    assert "deadletters list" in capsys.readouterr().err


def test_a_load_test_without_its_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra package the command is one sentence that names it."""
    monkeypatch.setattr(loadtest, "find_spec", lambda _: None)
    assert call(monkeypatch, "loadtest") == 2
    sentence = "picshare: The load test needs the package picows: pip install 'picshare[loadtest]'.\n"
    assert capsys.readouterr().err == sentence


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("http://127.0.0.1:1",), "http://127.0.0.1:1 cannot be reached: connection refused."),
        (("photos.example.com",), "photos.example.com is not an address"),
        (("--sockets", "9", "--tokens", "none"), "The token file none cannot be read"),
        (("--ca", "none"), "none is not a file of trusted certificates"),
        (("--photo", "none"), "The photo none cannot be read"),
        (("--json", "none/figures.json"), "none/figures.json cannot be written"),
        (("--source", "203.0.113.1"), "--source 203.0.113.1 is not an address of this machine"),
    ],
)
def test_a_load_test_that_cannot_start_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    """An invalid option stops the command before the test starts, with exit code 2 and one line."""
    assert call(monkeypatch, "loadtest", *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"picshare: {words}")
    assert output.err.count("\n") == 1


def test_version_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The version command prints the installed version."""
    assert call(monkeypatch, "version") == 0
    assert capsys.readouterr().out.startswith("picshare ")


def test_a_plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """`picshare plan` prints the plan of a load, writes its files, and compares it with an earlier one."""
    Path("load.toml").write_text("daily_users = 2e6\n")
    assert call(monkeypatch, "plan", "--load", "load.toml", "--json", "a.json", "--picture", "a.svg") == 0
    assert "core-milliseconds for each daily user and day" in capsys.readouterr().out
    assert Path("a.svg").read_text().startswith("<svg")
    assert call(monkeypatch, "plan", "--set", "daily_users=1e6", "--compare", "a.json") == 0
    assert "-50%" in capsys.readouterr().out
    for arguments, complaint in (
        (["--set", "users"], "--set takes a name and a number"),
        (["--load", "load.json"], "load.json cannot be read"),
        (["--compare", "a.svg"], "a.svg is not a plan"),
        (["--units", "a.svg"], "a.svg has no figures of"),
    ):
        assert call(monkeypatch, "plan", *arguments) == 2
        assert complaint in capsys.readouterr().err
