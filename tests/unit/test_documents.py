"""Documentation matches the code: its tables are compared with the code, and its links and paths resolve."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from prometheus_client import CollectorRegistry

from bench.__main__ import BENCHES
from channels.contract.settings import LiveSettings
from channels.protocol import codes
from channels.protocol.codes import Disconnect, ErrorCode, Unsubscribed
from deploy.architecture import BOXES, picture
from loadtest.profiles import ProfileName
from loadtest.report.document import document_of
from server.cli.main import build_app
from server.config.limits import LimitsSection
from storage.mails import MailKind
from storage.models import PhotoState
from tests.support.documents import ROOT, blocks, codes_in, documents, table_rows
from tests.support.prometheus_tools import every_metric
from tests.unit.loadtest.summaries import make_summary
from workers.broker.routing import BINDINGS
from workers.jobs.live import publications
from workers.jobs.mails.mail_kinds import MAIL_KINDS

PACKAGES = ("server", "channels", "workers", "storage")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_GENERATED = {"tests/sdk/node_modules", "bench/results/latest.json", "bench/results/live-latest.json"}
_SEVERITIES = {"debug", "info", "warning", "error", "exception"}


def sources(*packages: str) -> Iterator[ast.Module]:
    """Yield every module of these packages, parsed."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield ast.parse(path.read_text())


def calls(*packages: str) -> Iterator[tuple[str, list[object]]]:
    """Yield the name and the literal arguments (None for others) of every call."""
    for tree in sources(*packages):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                yield name, [item.value if isinstance(item, ast.Constant) else None for item in node.args]


def problems_in_code() -> set[tuple[int, str]]:
    """Return the status and code of every problem that the API can respond with."""
    found = {(400, "invalid_parameter"), (422, "invalid_input"), (404, "route_not_found"), (405, "method_not_allowed")}
    found |= {(409, "username_taken"), (409, "email_taken"), (401, "token_expired")}
    for name, arguments in calls("server", "storage", "workers"):
        match name, arguments:
            case (("ProblemError" | "_rejected"), [int(status), str(code), *_]):
                found.add((status, code))
            case "unauthorized", [str(code), *_]:
                found.add((401, code))
            case "ConflictError", [str(code), *_]:
                found.add((409, code))
            case (("NotPermittedError" | "VerdictTokenError"), [str(code), *_]):
                found.add((403, code))
            case "NotFoundError", [str(what), *_]:
                found.add((404, f"{what}_not_found"))
            case _:
                pass
    return found


def events_in_code() -> set[str]:
    """Return the name of every log event."""
    found = {"request", "job_done", "job_retried", "job_discarded", "job_dead"}
    for tree in sources(*PACKAGES):
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log") | ast.Call(), attr=severity),
                    args=[ast.Constant(value=str(name)), *_],
                ) if severity in _SEVERITIES:
                    found.add(name)
    return found


def names_in(document: str, heading: str, column: int = 0) -> set[str]:
    """Return what is in backticks in one column of a table."""
    return {name for row in table_rows(document, heading) for name in codes_in(row[column])}


def test_the_api_s_guide_lists_every_error() -> None:
    """The table has each status and code that the API responds with, and no other."""
    rows = [row for row in table_rows("docs/api.md", "Errors") if row[0] != "other"]
    assert {(int(row[0]), code) for row in rows for code in codes_in(row[1])} == problems_in_code()


def test_the_api_s_guide_lists_every_limit() -> None:
    """The names in the table are those of the settings."""
    assert names_in("docs/api.md", "Limits") == set(LimitsSection.model_fields)


def test_the_guide_to_mail_lists_every_kind() -> None:
    """The table has each kind of mail, and says of which ones users can unsubscribe."""
    rows = [(codes_in(row[0]), row[2]) for row in table_rows("docs/mail.md", "Unsubscribing")]
    assert {kind: bool(left) for kinds, left in rows for kind in kinds} == {
        kind.value: MAIL_KINDS[kind].list_name is not None for kind in MailKind
    }


def test_the_live_guide_lists_every_close_code() -> None:
    """The tables have the code and reason of each disconnect and unsubscribe push, and no others."""
    disconnects = {(item.code, item.reason) for item in vars(codes).values() if isinstance(item, Disconnect)}
    pushes = {(int(item), item.reason) for item in Unsubscribed}
    assert {(int(row[0]), row[1]) for row in table_rows("docs/live.md", "Close codes")} == disconnects | pushes


def test_the_live_guide_lists_every_error_that_is_used() -> None:
    """The table has the code and message of each error reply that is sent, and no others."""
    used = {
        ErrorCode[node.attr]
        for tree in sources("channels")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ErrorCode"
    } - {ErrorCode.TOO_MANY_REQUESTS}  # listed as temporary, but never sent
    rows = table_rows("docs/live.md", "Error codes")
    assert {(int(row[0]), row[1]) for row in rows} == {(int(code), code.message) for code in used}


def test_the_live_guide_lists_every_publication() -> None:
    """The table has each type of published document."""
    published = set(
        re.findall(
            r'"((?:photo|user|account|notifications?|presence|webhook)(?:\.\w+)?)"', inspect.getsource(publications)
        )
    )
    published |= {"photo.new"}  # made of bytes
    published -= {"photo", "user", "notifications", "webhook"}  # fields, and a stream
    assert names_in("docs/live.md", "Publications", 1) == published


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("128", LiveSettings().subscriptions),
        ("30 a second for long, 400 at once", None),
        ("64 KiB", LiveSettings().message_bytes),
        ("1 MiB", LiveSettings().write_buffer_bytes),
        ("20", LiveSettings().connections_per_user),
    ],
)
def test_the_live_guide_s_limits_are_the_defaults(text: str, value: int | None) -> None:
    """The limits in the table are the defaults."""
    assert text in {row[1] for row in table_rows("docs/live.md", "Limits")}
    units = {"KiB": 1024, "MiB": 1024 * 1024}
    number, _, unit = text.partition(" ")
    if value is None:
        assert text == f"{LiveSettings().command_rate:.0f} a second for long, {LiveSettings().command_burst} at once"
    else:
        assert int(number) * units.get(unit, 1) == value


def test_the_operator_s_guide_lists_every_metric() -> None:
    """The table has each metric's name, as `/metrics` exposes it, and no other."""
    assert names_in("docs/metrics.md", "Metrics") == exposed(every_metric())


def exposed(registry: CollectorRegistry) -> set[str]:
    """Return the names of a registry's metrics as they are queried: counters with `_total`."""
    return {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}


def test_the_operator_s_guide_lists_every_log_event() -> None:
    """The table has each event that the code logs, and no other."""
    assert names_in("docs/logs.md", "Logs") == events_in_code()


def test_the_operator_s_guide_lists_every_queue_and_topic() -> None:
    """The queues and their topics are those of the routing table."""
    rows = table_rows("docs/operation.md", "Queues")
    assert {codes_in(row[0])[0]: tuple(codes_in(row[1])) for row in rows} == BINDINGS


def test_the_load_test_guide_lists_every_profile() -> None:
    """The names in the table are those of the command line."""
    assert names_in("docs/loadtest.md", "Profiles") == {profile.value for profile in ProfileName}


def test_the_load_test_guide_names_every_option() -> None:
    """The guide has each option of the command, and no other."""
    command = typer.main.get_command(build_app()).commands["loadtest"]  # type: ignore[attr-defined]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    named = set(re.findall(r"--[a-z][a-z-]+", (ROOT / "docs" / "loadtest.md").read_text()))
    assert named == options


def test_the_load_test_guide_lists_every_field() -> None:
    """The table has each field of the JSON, and no other."""
    named = {name.split(".")[0] for name in names_in("docs/loadtest.md", "The figures as JSON")}
    assert named == set(document_of(make_summary()))


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_between_documents_resolve(document: Path) -> None:
    """Each relative link names an existing file and a heading in it."""
    for target in _LINK.findall(document.read_text()):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", item).lower().replace(" ", "-") for item in headings}, target


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_paths_in_documents_exist(document: Path) -> None:
    """Each path in backticks that begins with a folder of the repository exists."""
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()}
    spans = re.findall(r"`([\w.-]+/[\w./-]*)`", document.read_text())
    missing = {span for span in spans if span.split("/")[0] in tops and not (ROOT / span).exists()}
    assert missing - _GENERATED == set()


def test_the_readme_names_every_package() -> None:
    """The map in README.md has each folder of code, and each of these exists."""
    layout = next(block.text for block in blocks("README.md", "text") if "storage/" in block.text)
    named = set(re.findall(r"^(\w+)/", layout, re.MULTILINE))
    assert named >= {*PACKAGES, "static", "tests", "bench"}
    assert all((ROOT / name).is_dir() for name in named)


def test_the_figures_of_the_readme_are_those_of_a_run() -> None:
    """Each number is the median in a file of results that the chapter links to, and each command is a benchmark."""
    chapter = (ROOT / "README.md").read_text().partition("## Figures\n")[2].partition("\n## ")[0]
    files = re.findall(r"\((bench/results/[\w-]+\.json)\)", chapter)
    medians = [item["median"] for file in files for item in json.loads((ROOT / file).read_text())["figures"]]
    for _, median, compared, command in table_rows("README.md", "Figures"):
        (call,) = codes_in(command)
        assert call == "make bench-live" or call.removeprefix("make bench ARGS=") in BENCHES
        for number in re.findall(r"[\d,]*\d(?:\.\d+)?", f"{median} {re.sub(r'goal of [0-9.]+', '', compared)}"):
            value, digits = float(number.replace(",", "")), len(number.partition(".")[2])
            # Large ones have three digits.
            near = 0.5 * 10**-digits if value < 1000 else 0.005 * value
            assert any(abs(value - found) <= near * 1.01 for found in medians), number


def test_the_picture_of_the_parts_is_current() -> None:
    """The file is what the module draws, and each folder in it exists."""
    assert (ROOT / "docs" / "images" / "architecture.svg").read_text() == picture()
    assert all((ROOT / box.paths).is_dir() for box in BOXES)


def test_guides_describe_this_version() -> None:
    """No guide says that something is missing in this version: the sentence stays when the thing is there."""
    guides = [path for path in documents() if path.name != "CHANGELOG.md"]
    assert [path.name for path in guides if "not in this version" in path.read_text()] == []


def test_the_states_of_photos_are_documented() -> None:
    """The guide to the API explains each state that a photo can have."""
    explained = {row[0].strip("`") for row in table_rows("docs/api.md", "Uploading")}
    assert explained == {state.value for state in PhotoState}
