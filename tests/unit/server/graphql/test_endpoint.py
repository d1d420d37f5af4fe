"""The endpoint `/graphql` over HTTP: media types, refusals, persisted documents, and what is charged."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.config.section import from_sections
from server.config.settings import Settings
from server.edge.access_log import EventLog
from server.edge.authentication import ACCESS_COOKIE, CSRF_COOKIE, RequestAuthenticator
from server.edge.body import BodyPace
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.guard import Guard
from server.edge.middleware import NoHttpMetrics, edge
from server.graphql.executor import Executor
from server.graphql.handlers import MEDIA_TYPE, GraphqlHandlers, GraphqlServices
from server.graphql.manifest import AcceptedDocuments
from server.graphql.routes import GraphqlRoutes
from server.identity.rate_limiter import RateLimiter
from server.identity.rate_limits import RateLimits
from server.identity.scopes import ANY
from server.identity.tokens import AccessTokens
from storage.models import Role
from tests.support.graphql_world import SCHEMA, World
from tests.support.memory_quotas import MemoryQuotas
from tests.support.recorded_reads import RecordedReads

TOKENS = AccessTokens(b"a secret for tests, 32 bytes long", ttl=900)
TOKEN = TOKENS.issue(user_id=7, session="s", role=Role.USER)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
QUERY = "{ me { id } }"
ME = {"me": {"id": "U-7"}}
PERSISTED = "query Persisted($n: Int! = 1) { users(first: $n) { id } }"
PERSISTED_ID = hashlib.sha256(PERSISTED.encode()).hexdigest()
WRITE = 'mutation { rename(name: "a") { id } }'
WRITE_ID = hashlib.sha256(WRITE.encode()).hexdigest()
MANIFEST = {PERSISTED_ID: PERSISTED, WRITE_ID: WRITE}


class RecordedMetrics:
    """Metrics in lists."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.prepared: list[tuple[bool, int]] = []

    def graphql_done(self, *, operation: str, outcome: str) -> None:
        """Record a request."""
        self.done.append((operation, outcome))

    def graphql_prepared(self, *, known: bool, cost: int) -> None:
        """Record an operation."""
        self.prepared.append((known, cost))


class Scene:
    """A server with the endpoint, and what it charged and measured."""

    def __init__(self, *used_up: str, trusted: bool = False) -> None:
        self.quotas, self.metrics = MemoryQuotas(*used_up), RecordedMetrics()
        self.executor = Executor(SCHEMA)
        guard = Guard(
            RequestAuthenticator(TOKENS),
            RateLimiter(self.quotas, from_sections(RateLimits, Settings().limits)),
            BodyPace(idle_timeout=5, min_rate=1),
            RecordedReads(),
            require_space=lambda: None,
            require_proof=self._prove,
            scope_of=lambda _: ANY,
        )
        handlers = GraphqlHandlers(
            GraphqlServices(
                executor=self.executor,
                new_context=lambda _: World(),
                charger=guard,
                documents=AcceptedDocuments(manifest=MANIFEST, trusted=trusted),
                metrics=self.metrics,
            )
        )
        middleware = edge(
            ClientAddresses(()), CrossOrigin(["https://other.example"]), NoHttpMetrics(), EventLog(), secure=False
        )
        app = web.Application(middlewares=[middleware])
        for endpoint in GraphqlRoutes(self._load).endpoints():
            app.router.add_route(endpoint.method, endpoint.path, guard.bind(endpoint))
        self.client = TestClient(TestServer(app))
        self.handlers, self.loads = handlers, 0

    def _load(self) -> GraphqlHandlers:
        self.loads += 1
        return self.handlers

    async def _prove(self, _user_id: int, _session: str) -> None:
        raise AssertionError

    async def post(self, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        """Send a request; return the status and the response."""
        sent = body if isinstance(body, bytes) else orjson.dumps(body)
        fields = {
            "Content-Type": "application/json",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        async with self.client.post("/graphql", data=sent, headers=fields) as response:
            return response.status, orjson.loads(await response.read())

    async def get(self, query: Mapping[str, str], **headers: str) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        """Send a GET; return the status, the response and its header fields."""
        async with self.client.get("/graphql", params=query, headers=headers) as response:
            return response.status, orjson.loads(await response.read()), response.headers.copy()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    """Return a server that accepts every document."""
    scene = Scene()
    async with scene.client:
        yield scene


@pytest.fixture
async def trusting() -> AsyncIterator[Scene]:
    """Return a server that accepts the documents of the manifest."""
    scene = Scene(trusted=True)
    async with scene.client:
        yield scene


async def test_a_query(scene: Scene) -> None:
    """The response has the data and the cost."""
    status, response = await scene.post({"query": QUERY, "variables": None, "operationName": None})
    assert (status, response) == (200, {"data": ME, "extensions": {"cost": {"requested": 1, "limit": 2000}}})
    assert scene.metrics.done == [("query", "ok")]
    assert scene.metrics.prepared == [(False, 1)]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (MEDIA_TYPE, MEDIA_TYPE),
        ("application/json", "application/json"),
        (f"application/json, {MEDIA_TYPE}", MEDIA_TYPE),
        ("*/*", MEDIA_TYPE),
    ],
)
@pytest.mark.parametrize(("query", "status"), [(QUERY, 200), ("{ unknown }", 400), ("{", 400)])
async def test_media_types(scene: Scene, accept: str, media_type: str, query: str, status: int) -> None:
    """Clients get the media type that they ask for, and a 400 for what is not executed with both."""
    body = orjson.dumps({"query": query})
    headers = {"Content-Type": "application/json", "Accept": accept}
    async with scene.client.post("/graphql", data=body, headers=headers) as response:
        assert (response.status, response.content_type) == (status, media_type)


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        pytest.param(b"{", "malformed_json", 400, id="no JSON"),
        pytest.param([{"query": QUERY}], "batch_refused", 400, id="batch"),
        pytest.param("x", "invalid_parameter", 400, id="text"),
        pytest.param({}, "invalid_parameter", 400, id="no document"),
        pytest.param({"query": 1}, "invalid_parameter", 400, id="query"),
        pytest.param({"query": QUERY, "variables": []}, "invalid_parameter", 400, id="variables"),
        pytest.param({"query": QUERY, "operationName": {}}, "invalid_parameter", 400, id="operationName"),
        pytest.param({"query": QUERY, "extensions": "x"}, "invalid_parameter", 400, id="extensions"),
        pytest.param({"query": "x" * 70_000}, "body_too_large", 413, id="large"),
    ],
)
async def test_requests_of_a_wrong_form(scene: Scene, body: Any, code: str, status: int) -> None:
    """What is no GraphQL request is answered with a problem."""
    found, problem = await scene.post(body)
    assert (found, problem["code"], problem["status"]) == (status, code, status)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/graphql"]
)
async def test_only_json_is_accepted(scene: Scene, kind: str) -> None:
    """Forms, which browsers send across origins without a preflight, and other types are a 415."""
    status, problem = await scene.post({"query": QUERY}, Content_Type=kind)
    assert (status, problem["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("body", "code", "charged"),
    [
        ({"query": "{"}, "parse_failed", 1),
        ({"query": "{ unknown }"}, "validation_failed", 1),
        ({"query": "{" + " ".join(f"a{n}: me {{ id }}" for n in range(99)) + "}"}, "document_too_large", 6),
        ({"query": "query A { me { id } }", "operationName": "B"}, "unknown_operation", 1),
        ({"query": "query($n: Int!) { users(first: $n) { id } }"}, "invalid_variables", 1),
        ({"query": QUERY, "variables": {"x": "x" * 40_000}}, "variables_too_large", 1),
        ({"query": QUERY, "variables": {"x": orjson.Fragment("[" * 500 + "]" * 500)}}, "variables_too_large", 1),
        ({"documentId": "sha256:00"}, "document_not_found", 1),
        ({"query": QUERY, "documentId": PERSISTED_ID}, "document_id_mismatch", 1),
    ],
    ids=[
        "syntax",
        "field",
        "aliases",
        "operation",
        "variables",
        "large variables",
        "deep variables",
        "unknown id",
        "id",
    ],
)
async def test_refused_operations(scene: Scene, body: Any, code: str, charged: int) -> None:
    """What is not executed is a 400 whose errors have a code, is charged by its length, and is measured."""
    status, response = await scene.post(body)
    assert (status, list(response)) == (400, ["errors"])
    assert {error["extensions"]["code"] for error in response["errors"]} == {code}
    assert scene.quotas.costs == [charged]
    assert scene.metrics.done == [("unknown", code)]


async def test_an_operation_that_costs_too_much(scene: Scene) -> None:
    """The response says what it would have cost."""
    status, response = await scene.post({"query": "{ users(first: 2001) { id } }"})
    assert status == 400
    assert response["extensions"] == {"cost": {"requested": 2001, "limit": 2000}}
    assert response["errors"][0]["extensions"] == {"code": "cost_exceeded", "status": 400}


async def test_the_cost_is_charged_to_the_rate_limit(scene: Scene) -> None:
    """A request takes one unit for 20 of its cost; a document that was checked before is charged in one call."""
    for _ in range(2):
        await scene.post({"query": "{ users(first: 41) { id } }"}, **BEARER)
    await scene.post({"query": QUERY}, **BEARER)
    assert scene.quotas.costs == [1, 2, 3, 1]
    assert {name for name, _ in scene.quotas.charged} == {"reads"}
    assert [known for known, _ in scene.metrics.prepared] == [False, True, False]


async def test_a_rate_limit_that_is_used_up() -> None:
    """The request is a 429, as of the REST API, and no document is read."""
    scene = Scene("anonymous")
    async with scene.client:
        status, problem = await scene.post({"query": "{ unknown }"})
    assert (status, problem["code"]) == (429, "too_many_requests")
    assert scene.metrics.done == []


async def test_a_wrong_token_is_refused(scene: Scene) -> None:
    """Credentials are checked as those of the REST API."""
    status, problem = await scene.post({"query": QUERY}, Authorization="Bearer x")
    assert (status, problem["code"]) == (401, "invalid_token")


@pytest.mark.parametrize(("token", "status"), [(None, 403), ("wrong", 403), (TOKENS.csrf("s"), 200)])
async def test_a_cookie_needs_the_csrf_token(scene: Scene, token: str | None, status: int) -> None:
    """A page of another origin cannot act for the user, even if a form could send JSON."""
    scene.client.session.cookie_jar.update_cookies({ACCESS_COOKIE: TOKEN, CSRF_COOKIE: TOKENS.csrf("s")})
    headers = {"Cookie": f"{ACCESS_COOKIE}={TOKEN}"} | ({} if token is None else {"X_CSRF_Token": token})
    found, _ = await scene.post({"query": WRITE}, **headers)
    assert found == status


async def test_pages_of_allowed_origins(scene: Scene) -> None:
    """The CORS rules are those of the REST API."""
    preflight = {"Origin": "https://other.example", "Access-Control-Request-Method": "POST"}
    async with scene.client.options("/graphql", headers=preflight) as response:
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, "https://other.example")


async def test_errors_of_fields_are_in_a_200(scene: Scene) -> None:
    """An operation that was executed is a 200, with the errors of its fields."""
    status, response = await scene.post({"query": 'mutation { rename(name: "taken") { id } }'})
    assert (status, response["data"]) == (200, {"rename": None})
    assert response["errors"][0]["extensions"]["code"] == "name_taken"
    assert scene.metrics.done == [("mutation", "errors")]


@pytest.mark.parametrize(
    "query",
    [
        {"documentId": PERSISTED_ID},
        {"documentId": f"sha256:{PERSISTED_ID}"},
        {"extensions": orjson.dumps({"persistedQuery": {"version": 1, "sha256Hash": PERSISTED_ID}}).decode()},
    ],
    ids=["id", "id with its prefix", "Apollo"],
)
async def test_a_persisted_query(scene: Scene, query: dict[str, str]) -> None:
    """A GET executes a document of the manifest, and proxies may keep what visitors get."""
    status, response, headers = await scene.get({**query, "variables": '{"n": 2}'})
    assert (status, response["data"]) == (200, {"users": [{"id": "U-0"}, {"id": "U-1"}]})
    assert headers["Cache-Control"] == "public, max-age=10"
    assert headers["Vary"] == "Accept, Authorization, Cookie, Origin"


async def test_what_a_user_gets_is_not_kept(scene: Scene) -> None:
    """Proxies may not keep the response to a request with credentials."""
    status, _, headers = await scene.get({"documentId": PERSISTED_ID}, **BEARER)
    assert (status, headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"query": QUERY}, 400, "document_in_url"),
        ({}, 400, "invalid_parameter"),
        ({"documentId": PERSISTED_ID, "variables": "{"}, 400, "invalid_parameter"),
        ({"documentId": WRITE_ID}, 405, "method_not_allowed"),
    ],
    ids=["text", "nothing", "no JSON", "mutation"],
)
async def test_a_get_of_another_kind(scene: Scene, query: dict[str, str], status: int, code: str) -> None:
    """A GET names a persisted query, and changes nothing."""
    found, problem, headers = await scene.get(query)
    assert (found, problem["code"]) == (status, code)
    assert headers["Cache-Control"] == "no-store"


async def test_trusted_documents(trusting: Scene) -> None:
    """With `trusted` only the documents of the manifest are executed, by id or as text."""
    for body in ({"documentId": PERSISTED_ID}, {"query": PERSISTED}, {"query": PERSISTED, "documentId": PERSISTED_ID}):
        assert (await trusting.post(body))[0] == 200
    status, response = await trusting.post({"query": QUERY})
    assert (status, response["errors"][0]["extensions"]["code"]) == (400, "document_not_trusted")


@pytest.mark.parametrize(("trusted", "message"), [(False, "NotSupported"), (True, "NotFound")])
async def test_apollo_clients_know_what_to_do(trusted: bool, message: str) -> None:
    """After an unknown hash clients of Apollo send the document, from then on or this once."""
    scene = Scene(trusted=trusted)
    body = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    async with scene.client:
        status, response = await scene.post(body)
    assert (status, response["errors"][0]["message"]) == (400, f"PersistedQuery{message}")


async def test_the_schema(scene: Scene) -> None:
    """The schema is a text in its definition language, for everyone."""
    async with scene.client.get("/graphql/schema.graphql") as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        assert "type Query {" in await response.text()


async def test_the_handlers_are_loaded_once_when_they_are_needed(scene: Scene) -> None:
    """A process that nobody asks for GraphQL does not load it, and simultaneous requests wait for the same load."""
    assert scene.loads == 0
    responses = await asyncio.gather(*(scene.post({"query": QUERY}) for _ in range(5)))
    assert {status for status, _ in responses} == {200}
    assert scene.loads == 1


async def test_documents_are_checked_in_turns_of_their_own(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many unknown documents at once leave other requests their turns in between."""
    turn, checked, prepare = 0, [], scene.executor.prepare

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    def recorded(*arguments: Any, **options: Any) -> Any:
        checked.append(turn)
        return prepare(*arguments, **options)

    monkeypatch.setattr(scene.executor, "prepare", recorded)
    counting = asyncio.create_task(count())
    await asyncio.gather(*(scene.post({"query": f"{{ a{number}: me {{ id }} }}"}) for number in range(5)))
    counting.cancel()
    assert len(set(checked)) == 5


async def test_introspection_has_one_thread(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its computation is neither in the event loop nor in several threads, between which the loop would starve."""
    threads: list[str] = []

    def introspect(*_: object) -> dict[str, Any]:
        threads.append(threading.current_thread().name)
        return {}

    monkeypatch.setattr("server.graphql.executor.introspect", introspect)
    await asyncio.gather(*(scene.post({"query": "{ __schema { queryType { name } } }"}) for _ in range(3)))
    assert set(threads) == {"introspection_0"}
