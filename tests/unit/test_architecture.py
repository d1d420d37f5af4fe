"""The layout's rule, read from the imports: a list of the allowed arrows between packages, and no cycle among them.

A package is a folder of modules. The modules right below `channels`, `workers` and `server` are packages of their own,
because some are imported by every sibling folder and others import every folder; those right below `storage`
(the domain) are one package, as are those of `locales`. The stores and the jobs of the workers are one package each:
their folders have lists of their own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORES = "storage/stores"
JOBS = "workers/jobs"
TOPS = ("locales", "storage", "channels", "workers", "server", "loadtest")
OUTSIDE = {"tests", "bench", "mutation"}  # the product never imports these

# package -> what it may import. An arrow that no import uses any more fails the test, so that the list stays true.
ALLOWED: Mapping[str, frozenset[str]] = {
    package: frozenset(arrows.split())
    for package, arrows in {
        # The languages of texts.
        "locales": "",
        # What PicShare keeps.
        "storage": "locales",
        "storage/postgres": "storage",
        "storage/redis": "storage",
        "storage/blobs": "storage",
        "storage/embedded": "storage",
        "storage/render": "locales storage storage/blobs",
        STORES: "locales storage storage/postgres",
        "storage/limits": "storage storage/postgres storage/redis storage/stores",
        "storage/cache": "storage storage/blobs storage/postgres storage/redis storage/render storage/stores",
        "storage/feeds": (
            "storage storage/cache storage/limits storage/postgres storage/redis storage/render storage/stores"
        ),
        # Live connections.
        "channels/contract": "",
        "channels/protocol": "channels/contract",
        "channels/bus": "channels/contract",
        "channels/connection": "channels/contract channels/protocol",
        "channels/hub": "channels/bus channels/connection channels/contract channels/protocol",
        "channels/commands": "channels/bus channels/connection channels/contract channels/hub channels/protocol",
        "channels/transports": "channels/commands channels/connection channels/contract channels/protocol",
        "channels/live": (
            "channels/bus channels/commands channels/connection channels/contract channels/hub channels/protocol "
            "channels/transports"
        ),
        # Work after the response.
        "workers/errors": "",
        "workers/registry": "",
        "workers/handlers": "storage",
        "workers/broker": "storage storage/postgres workers/errors workers/registry",
        "workers/broker/rabbitmq": "storage workers/broker workers/errors",
        "workers/images": "storage storage/blobs workers/errors",
        "workers/videos": "storage/blobs workers/images",
        "workers/outbound": "storage",
        "workers/webhooks": "storage workers/outbound",
        "workers/deliveries": "storage",
        "workers/web_push": "locales storage storage/render workers/outbound",
        "workers/reviewing": "storage",
        "workers/scanning": "storage workers/outbound",
        "workers/mails": "locales storage",
        "workers/signals": "storage",
        "workers/caches": "storage storage/blobs storage/render workers/outbound workers/webhooks",
        "workers/exports": "locales storage storage/blobs storage/postgres storage/render storage/stores",
        "workers/imports": "storage storage/blobs storage/postgres storage/stores",
        JOBS: (
            "channels/bus channels/contract locales storage storage/blobs storage/cache storage/feeds storage/limits "
            "storage/postgres storage/render storage/stores workers/caches workers/deliveries workers/errors "
            "workers/exports workers/handlers workers/images workers/imports workers/mails workers/outbound "
            "workers/registry workers/reviewing workers/scanning workers/signals workers/videos workers/web_push "
            "workers/webhooks"
        ),
        "workers/job_trace": "channels/contract workers/broker",
        "workers/worker": "channels/contract storage workers/broker workers/handlers workers/job_trace",
        # The edge and the composition root.
        "server/errors": "",
        "server/config": (
            "channels/contract server/errors storage storage/blobs storage/embedded storage/postgres storage/redis "
            "workers/broker workers/images workers/mails workers/outbound workers/registry workers/reviewing "
            "workers/scanning workers/signals workers/videos workers/web_push workers/webhooks"
        ),
        "server/identity": "locales server/config storage storage/limits",
        "server/openid": "storage workers/outbound",
        "server/edge": (
            "channels/contract locales server/identity server/openid storage storage/postgres storage/render "
            "storage/stores workers/outbound workers/web_push workers/webhooks"
        ),
        "server/actions": (
            "channels/bus channels/contract locales server/identity server/openid storage storage/blobs storage/cache "
            "storage/feeds storage/limits storage/postgres storage/stores workers/jobs workers/mails workers/outbound "
            "workers/web_push "
            "workers/webhooks"
        ),
        "server/media": (
            "locales server/edge server/identity storage storage/blobs storage/cache storage/limits storage/postgres "
            "storage/stores workers/images workers/videos"
        ),
        "server/live": (
            "channels/contract channels/live server/actions server/edge server/identity storage storage/cache "
            "storage/feeds storage/limits storage/postgres storage/render storage/stores workers/jobs"
        ),
        "server/api": (
            "channels/live locales server/actions server/edge server/graphql server/identity server/live server/media "
            "server/openid storage "
            "storage/blobs storage/cache storage/feeds storage/limits storage/postgres storage/render storage/stores "
            "workers/outbound workers/web_push workers/webhooks"
        ),
        "server/graphql": "server/edge server/errors server/identity",
        "server/mastodon": (
            "channels/contract channels/live channels/transports server/actions server/api server/edge server/identity "
            "server/live server/media storage storage/blobs storage/cache storage/feeds storage/postgres "
            "storage/render storage/stores workers/jobs workers/outbound workers/web_push"
        ),
        "server/graphql/resolution": (
            "channels/contract server/actions server/api server/edge server/graphql server/identity storage "
            "storage/postgres storage/render storage/stores"
        ),
        "server/graphql/objects": (
            "server/api server/graphql server/graphql/resolution storage storage/render storage/stores"
        ),
        "server/graphql/queries": (
            "server/actions server/api server/edge server/graphql server/graphql/objects server/graphql/resolution "
            "server/identity storage storage/postgres storage/render storage/stores"
        ),
        "server/graphql/mutations": (
            "server/actions server/edge server/graphql server/graphql/objects server/graphql/queries "
            "server/graphql/resolution storage storage/postgres storage/render storage/stores"
        ),
        "server/graphql/subscriptions": (
            "channels/contract server/edge server/graphql server/graphql/objects server/graphql/resolution "
            "server/identity storage"
        ),
        "server/previews": (
            "locales server/api server/edge server/identity storage storage/postgres storage/render storage/stores"
        ),
        "server/demo": (
            "server/actions server/identity server/media storage storage/blobs storage/postgres storage/stores"
        ),
        "server/planning": "server/errors",
        "server/measuring": "loadtest/community server/errors storage/embedded",
        "server/operation": "server/config server/errors storage storage/postgres workers/broker workers/errors",
        "server/acme": "server/operation storage",
        "server/composition": (
            "channels/bus channels/contract channels/live server/acme server/actions server/api server/config "
            "server/demo server/edge server/errors server/graphql server/graphql/mutations server/graphql/objects "
            "server/graphql/queries server/graphql/resolution server/graphql/subscriptions "
            "server/identity server/live server/mastodon "
            "server/media server/openid server/operation server/previews storage "
            "storage/blobs storage/cache storage/embedded storage/feeds storage/limits storage/postgres storage/redis "
            "storage/render workers/broker workers/broker/rabbitmq workers/caches workers/deliveries workers/exports "
            "workers/images workers/imports workers/jobs workers/mails workers/outbound workers/registry "
            "workers/reviewing workers/scanning workers/signals workers/videos workers/web_push workers/webhooks "
            "workers/worker"
        ),
        "server/administration": (
            "channels/bus server/actions server/composition server/config server/edge server/errors server/graphql "
            "server/identity server/openid server/operation storage storage/blobs storage/cache storage/embedded "
            "storage/feeds storage/postgres storage/redis storage/stores workers/broker workers/errors workers/images "
            "workers/jobs workers/mails workers/outbound workers/scanning workers/videos workers/web_push"
        ),
        "server/cli": (
            "loadtest/community loadtest/errors loadtest/plan loadtest/profiles loadtest/report loadtest/run "
            "loadtest/target server/administration server/composition server/config server/errors server/measuring "
            "server/operation server/planning "
            "storage workers/errors workers/registry"
        ),
    }.items()
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


FILES = [path for top in TOPS for path in sorted((ROOT / top).rglob("*.py"))]
MODULES = {_name(path).removesuffix(".py").replace("/", "."): path for path in FILES}


class _Imports(ast.NodeVisitor):
    """Collect the modules that a file imports, and which of them only for type checking."""

    def __init__(self) -> None:
        self._checking = 0
        self.found: list[tuple[str, bool]] = []

    def visit_Import(self, node: ast.Import) -> None:
        """Collect `import a.b`."""
        self.found += [(alias.name, self._checking > 0) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Collect `from a import b` as `a.b`, which names a module or something inside `a`."""
        assert node.level == 0, "imports are absolute"
        self.found += [(f"{node.module}.{alias.name}", self._checking > 0) for alias in node.names]

    def visit_Call(self, node: ast.Call) -> None:
        """Collect `import_module("a.b")` and `__import__("a.b")`."""
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
            self.found.append((str(node.args[0].value), self._checking > 0))
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        """Mark imports under `if TYPE_CHECKING`."""
        checking = "TYPE_CHECKING" in ast.unparse(node.test)
        self._checking += checking
        self.generic_visit(node)
        self._checking -= checking


@cache
def imports_of(source: str) -> list[tuple[str, bool]]:
    """Return (module or member, whether for type checking alone) of each import of a source."""
    visitor = _Imports()
    visitor.visit(ast.parse(source))
    return visitor.found


def package_of(module: str) -> str | None:
    """Return the package of one of our modules or of a member of one; None for what is not ours."""
    parts = module.split(".")
    if parts[0] in OUTSIDE:
        return parts[0]
    folder = "/".join(parts[:2])
    if folder in {STORES, JOBS}:
        return folder
    if parts[0] not in TOPS:
        return None
    while parts and ".".join(parts) not in MODULES and f"{'.'.join(parts)}.__init__" not in MODULES:
        parts.pop()
    if ".".join(parts) in MODULES and (len(parts) > 2 or parts[0] in {"locales", "storage"}):
        parts.pop()
    return "/".join(parts)


def arrows_of(package: str, source: str) -> Iterator[str]:
    """Yield the packages that a file of `package` imports, its own left out."""
    for module, checking in imports_of(source):
        target = package_of(module)
        if target is not None and target != package:
            assert not checking, f"{package} imports {module} for type checking alone"
            yield target


def faults_of(package: str, source: str) -> list[str]:
    """Return the imports of a file of `package` that the list does not allow."""
    return [f"{package} imports {target}" for target in arrows_of(package, source) if target not in ALLOWED[package]]


def _package(path: Path) -> str:
    name = _name(path).removesuffix(".py").replace("/", ".")
    package = package_of(name.removesuffix(".__init__"))
    assert package is not None
    return package


def _files_of(tops: Iterable[str]) -> list[Path]:
    return [path for path in FILES if _name(path).split("/")[0] in tops]


def test_arrows() -> None:
    """A file imports only what the list allows its package, also for types and within functions."""
    faults = {}
    for path in _files_of(TOPS[:-1]):
        source = path.read_text()
        if path.name != "__init__.py" or "import" in source:
            faults[_name(path)] = faults_of(_package(path), source)
    assert {name: found for name, found in faults.items() if found} == {}


def test_the_load_tester_uses_nothing_of_the_service() -> None:
    """The load tester imports no package of the product, so that it can test any PicShare."""
    for path in _files_of(["loadtest"]):
        tops = {target.split("/")[0] for target in arrows_of(_package(path), path.read_text())}
        assert tops <= {"loadtest"}, path


def test_no_arrow_is_listed_in_vain() -> None:
    """Each arrow of the list is drawn by some import, and each package of the list exists."""
    drawn: dict[str, set[str]] = {package: set() for package in ALLOWED}
    for path in _files_of(TOPS[:-1]):
        drawn.setdefault(_package(path), set()).update(arrows_of(_package(path), path.read_text()))
    unused = {package: ALLOWED[package] - drawn[package] for package in ALLOWED}
    assert {package: sorted(arrows) for package, arrows in unused.items() if arrows} == {}


def test_packages_form_no_cycle() -> None:
    """The allowed arrows have an order in which each package comes after all that it imports."""
    order = list(TopologicalSorter({package: set(arrows) for package, arrows in ALLOWED.items()}).static_order())
    assert order.index("storage") < order.index("workers/jobs") < order.index("server/cli")


def test_the_load_testers_packages_form_no_cycle() -> None:
    """The load tester's packages are layered, too."""
    graph: dict[str, set[str]] = {}
    for path in _files_of(["loadtest"]):
        graph.setdefault(_package(path), set()).update(arrows_of(_package(path), path.read_text()))
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize(
    ("package", "source", "fault"),
    [
        ("storage/stores", "import channels.hub.hub", "storage/stores imports channels/hub"),
        ("channels/hub", "from storage.models import User", "channels/hub imports storage"),
        ("workers/jobs", "def f():\n    from server.edge import problems", "workers/jobs imports server/edge"),
        (
            "storage/redis",
            "import importlib\nimportlib.import_module('server.errors')",
            "storage/redis imports server/errors",
        ),
        ("workers/broker", "import workers.broker.rabbitmq", "workers/broker imports workers/broker/rabbitmq"),
        ("server/edge", "import tests.conftest", "server/edge imports tests"),
    ],
)
def test_a_wrong_arrow_is_found(package: str, source: str, fault: str) -> None:
    """The rule finds each way to break it."""
    assert faults_of(package, source) == [fault]


def test_an_import_for_types_alone_is_found() -> None:
    """An import under TYPE_CHECKING that crosses packages fails: it hides an arrow."""
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from storage import ids"
    with pytest.raises(AssertionError, match="for type checking alone"):
        faults_of("workers/jobs", source)


def test_a_cycle_is_found() -> None:
    """Two packages that import each other have no order."""
    with pytest.raises(CycleError):
        list(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


def test_right_arrows_pass() -> None:
    """What the list allows is not a fault."""
    source = "import storage.ids\nfrom storage import errors\nfrom channels.bus import addressing\nimport json"
    assert faults_of("workers/jobs", source) == []


def test_the_domain_uses_the_standard_library_alone() -> None:
    """Models, ids, events and errors import nothing that has to be installed."""
    allowed = {*sys.stdlib_module_names, "locales", "storage"}
    # Of `locales` the sentences alone, which use nothing that has to be installed either.
    for path in (*(ROOT / "storage").glob("*.py"), ROOT / "locales/sentences.py"):
        tops = {module.split(".")[0] for module, _ in imports_of(path.read_text())} - {"__future__"}
        assert tops - allowed - ({"msgpack"} if path.name == "events.py" else set()) == set(), path.name
        ours = {module for module, _ in imports_of(path.read_text()) if module.startswith("locales.")}
        assert all(module.startswith("locales.sentences.") for module in ours), path.name


def test_no_module_bears_a_standard_name() -> None:
    """No file or folder hides a module of the standard library from a reader."""
    names = {part for path in FILES for part in (path.stem, path.parent.name)} - {"__init__"}
    assert names & set(sys.stdlib_module_names) == set()
