"""What all responses have in common: problem details, headers, the API's description, pages."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from server.composition.application import make_app
from server.edge import activity_responses, list_responses, photo_responses, responses
from tests.support.api import Api, InspectableServices, running_api
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

STATIC = Path(__file__).parents[4] / "static"


async def test_every_error_is_a_problem(api: Api) -> None:
    """Wrong paths, methods, bodies and types return problem+json with a stable code."""
    ann = await api.user()
    cases: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", "/nothing", {}, 404, "route_not_found"),
        ("GET", "/photos/0000000000000", {}, 404, "photo_not_found"),
        ("POST", "/feed", {}, 405, "method_not_allowed"),
        ("PATCH", "/users/me", {"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "malformed_json"),
        (
            "PATCH",
            "/users/me",
            {"data": b"a=b", "headers": {"Content-Type": "text/plain"}},
            415,
            "unsupported_media_type",
        ),
        ("PATCH", "/users/me", {"json": {"bio": 5}}, 422, "invalid_input"),
        ("GET", "/feed?limit=x", {}, 400, "invalid_parameter"),
    ]
    for method, path, options, status, code in cases:
        response = await ann.call(method, path, **options)
        problem = responses.ProblemResponse.model_validate(response.expect(status))
        assert (problem.code, problem.status, problem.type) == (code, status, f"/docs#{code}"), path
        assert response.headers["Content-Type"] == "application/problem+json", path
        assert response.headers["X-Request-Id"] == problem.request_id
    assert (await ann.call("POST", "/feed")).headers["Allow"] == "GET,HEAD"


async def test_a_browser_gets_a_page_for_a_wrong_address(api: Api) -> None:
    """Opened in a browser, a wrong address is a page with a heading; programs and the API get problem+json."""
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for path in ("/discovr", "/u/ann/folowers", "/%3Cscript%3E", "/static/nothing.css", "/p/0384604BS2VXG/"):
        page = await api.get(path, headers=browser)
        assert page.status == 404, path
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert b"<h1>Page not found</h1>" in page.body
        assert page.headers["X-Request-Id"].encode() in page.body
        assert b"script" not in page.body
    for path, headers in (("/discovr", {"Accept": "*/*"}), ("/discovr", {}), ("/api/v1/nothing", browser)):
        problem = await api.get(path, headers=headers)
        assert problem.expect(404)["code"] == "route_not_found"
        assert problem.headers["Content-Type"] == "application/problem+json"


async def test_an_unexpected_error_discloses_only_its_request_id(services: InspectableServices) -> None:
    """A defect is a 500 without traceback, type or message of the exception."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("secret detail")

    broken = dataclasses.replace(services, home=Broken())  # type: ignore[arg-type]
    async with running_api(broken) as api:
        ann = await api.user()
        response = await ann.call("GET", "/feed", headers={"X-Request-Id": "my-request-1"})
    problem = response.expect(500)
    assert problem["code"] == "internal_error"
    assert problem["request_id"] == "my-request-1"
    assert b"secret" not in response.body
    assert b"RuntimeError" not in response.body


async def test_an_unavailable_engine_is_a_503_with_retry_after(services: InspectableServices) -> None:
    """Without PostgreSQL the response says when to try again."""
    async with running_api(services) as api:
        ann = await api.user()
        closed = dataclasses.replace(services)
        await closed.db.close()
        response = await ann.call("GET", "/users/me")
    assert response.expect(503)["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0


async def test_every_response_has_the_security_headers(api: Api) -> None:
    """Successes and errors have nosniff, a content security policy, a rule for caches and a request id."""
    ann = await api.user()
    responses_of = (("/users/me", 200, "no-store"), ("/nothing", 404, "no-store"), ("/feed", 200, "private, no-cache"))
    for path, status, caching in responses_of:
        response = await ann.call("GET", path)
        assert response.status == status
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Server"] == "PicShare"
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert response.headers["Cache-Control"] == caching
        assert response.headers["X-Request-Id"]
        assert "Strict-Transport-Security" not in response.headers


async def test_over_https_cookies_are_secure_and_hsts_is_sent(services: InspectableServices) -> None:
    """With an https URL cookies are Secure and responses have HSTS."""
    secured = dataclasses.replace(services.settings, public_url="https://photos.example")
    async with running_api(dataclasses.replace(services, settings=secured)) as api:
        await api.user("ann")
        body = {"username": "ann", "password": "correct horse battery", "cookie": True}
        response = await api.visitor.call("POST", "/tokens", json=body)
        ticket = await (await api.user()).call("POST", "/live/token")
    assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert all("Secure" in cookie for cookie in response.headers.getall("Set-Cookie"))  # type: ignore[attr-defined]
    assert ticket.expect(201)["url"] == "wss://photos.example/connection/websocket"


async def test_a_client_s_request_id_is_used_only_when_harmless(api: Api) -> None:
    """An id that could break a log line is replaced."""
    for given, taken in (("abcd-1234.x_y", True), ("short", False), ("x" * 65, False), ("a b c d e f g", False)):
        response = await api.visitor.call("GET", "/photos", headers={"X-Request-Id": given})
        assert (response.headers["X-Request-Id"] == given) is taken


async def test_responses_match_their_models(api: Api) -> None:
    """Responses fit the models of the OpenAPI document, field by field."""
    ann, bob = await api.user(), await api.user()
    photo = await ann.upload(photograph(), "caption")
    photo_responses.PhotoResponse.model_validate(photo)
    await api.finish(photo)
    await bob.follow(ann)
    created = (await bob.call("POST", "/lists", json={"title": "Friends"})).expect(201)
    (await bob.call("PUT", f"/lists/{created['id']}/accounts/{ann.id}")).expect(204)
    comment = await bob.call("POST", f"/photos/{photo['id']}/comments", json={"text": "text"})
    activity_responses.CommentResponse.model_validate(comment.expect(201))
    for path, model in (
        (f"/photos/{photo['id']}", photo_responses.PhotoResponse),
        ("/feed", responses.StreamListResponse[photo_responses.PhotoResponse]),
        ("/feed?order=highlights", responses.HighlightsResponse[photo_responses.PhotoResponse]),
        (f"/photos/{photo['id']}/comments", responses.ListResponse[activity_responses.CommentResponse]),
        (f"/users/{ann.id}", responses.ProfileResponse),
        (f"/users/{ann.id}/followers", responses.ListResponse[responses.UserSummaryResponse]),
        (f"/users/{ann.id}/lists", responses.ListResponse[list_responses.AccountListResponse]),
        ("/users/me", responses.AccountResponse),
        ("/notifications", activity_responses.NotificationListResponse),
        ("/notifications/counters", activity_responses.NotificationCountersResponse),
    ):
        model.model_validate((await bob.call("GET", path)).expect(200))
    responses.LiveTicketResponse.model_validate((await bob.call("POST", "/live/token")).expect(201))


async def test_a_ticket_can_be_redeemed_once(api: Api) -> None:
    """The first redemption returns the ticket's payload, the second nothing."""
    ann = await api.user()
    ticket = (await ann.call("POST", "/live/token")).expect(201)
    payload = await api.services.tickets.redeem(ticket["token"])
    assert payload is not None
    assert payload["session"] == api.tokens.verify(ann.token).session
    assert await api.services.tickets.redeem(ticket["token"]) is None


async def test_openapi_describes_every_route_and_its_references_resolve(services: InspectableServices) -> None:
    """The document has an operation for each route of the API and the images, and no dangling reference.

    That of apps is not described: it is Mastodon's.
    """
    app = make_app(dataclasses.replace(services, settings=dataclasses.replace(services.settings, mastodon=False)))
    async with running_api(services) as api:
        document = (await api.visitor.call("GET", "/openapi.json")).expect(200)
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    routed = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith(("/api/v1/", "/media/"))
    }
    # Every GET has its HEAD, which is not described.
    routed -= {("HEAD", path) for method, path in routed if method == "GET"}
    assert document["openapi"] == "3.1.0"
    assert described == routed - {("GET", "/api/v1/openapi.json")}
    references = _references(document)
    assert references
    assert {reference.rpartition("/")[2] for reference in references} <= set(document["components"]["schemas"])
    names = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))


async def test_openapi_describes_ids_names_and_bodies(services: InspectableServices) -> None:
    """Ids, cursors, names, tags and keys have patterns; a body is required if one of its fields is."""
    async with running_api(services) as api:
        document = (await api.visitor.call("GET", "/openapi.json")).expect(200)
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    described: dict[str, list[str]] = {}
    for operation in operations:
        for parameter in operation.get("parameters", []):
            schema = parameter["schema"]
            pattern = next((part["pattern"] for part in [schema, *schema.get("anyOf", [])] if "pattern" in part), "")
            described.setdefault(parameter["name"], []).append(pattern)
    for name in ("id", "cursor", "tag", "Idempotency-Key"):
        assert all(described[name]), name
    schemas = document["components"]["schemas"]
    assert schemas["SignUpRequest"]["properties"]["username"]["pattern"]
    assert schemas["SignUpRequest"]["properties"]["email"]["format"] == "email"
    assert schemas["PhotoUpdate"]["properties"]["tags"]["anyOf"][0]["items"]["pattern"]
    assert schemas["NotificationSelection"]["properties"]["ids"]["anyOf"][0]["items"]["pattern"]
    required = {
        operation["operationId"]: operation["requestBody"]["required"]
        for operation in operations
        if "requestBody" in operation
    }
    assert required["post_users"]
    assert required["post_photos"]
    assert not required["post_notifications_seen"]
    assert not required["post_tokens_refresh"]


async def test_openapi_describes_the_feed(services: InspectableServices) -> None:
    """Its orders, the time at which highlights begin, both forms of the page, its entity tag, and an expired cursor."""
    async with running_api(services) as api:
        document = (await api.visitor.call("GET", "/openapi.json")).expect(200)
    feed = document["paths"]["/api/v1/feed"]["get"]
    parameters = {parameter["name"]: parameter for parameter in feed["parameters"]}
    assert parameters["order"]["schema"]["enum"] == ["newest", "highlights"]
    assert {"type": "string", "format": "date-time", "examples": ["2026-11-20T11:00:00Z"]} in parameters["since"][
        "schema"
    ]["anyOf"]
    assert parameters["If-None-Match"]["in"] == "header"
    assert {"200", "304", "400", "401", "410", "429", "503"} <= feed["responses"].keys()
    assert "ETag" in feed["responses"]["200"]["headers"]
    forms = feed["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    schemas = [document["components"]["schemas"][form["$ref"].rpartition("/")[2]] for form in forms]
    assert ["since" in schema["required"] for schema in schemas] == [False, True]
    untagged = document["paths"]["/api/v1/users/me"]["get"]
    assert "304" not in untagged["responses"]


async def test_a_body_that_is_no_object_or_has_numbers_for_ids_is_a_422(api: Api) -> None:
    """The response says what to send, in the API's own words."""
    ann = await api.user()
    for body, field in (([1], "body"), ("x", "body"), ({"ids": [2**70]}, "ids.0"), ({"ids": [-1]}, "ids.0")):
        problem = (await ann.call("POST", "/notifications/seen", json=body)).expect(422)
        assert problem["errors"][0]["field"] == field
        for word in ("int64", "query argument", "asyncpg", "NotificationSelection"):
            assert word not in problem["detail"]


def _references(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in node.values()))
    return set().union(*(_references(value) for value in node)) if isinstance(node, list) else set()


async def test_pages_have_a_strict_policy_and_files_their_types(services: InspectableServices) -> None:
    """The application, its client routes and the docs have a policy that allows no inline script."""
    served = dataclasses.replace(services.settings, static_dir=STATIC)
    async with running_api(dataclasses.replace(services, settings=served)) as api:
        for path in ("/", "/p/0384604BS2VXG", "/u/ann", "/notifications", "/docs"):
            page = await api.get(path)
            assert page.status == 200, path
            assert page.headers["Content-Type"] == "text/html; charset=utf-8"
            policy = page.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'self';")
            assert "unsafe" not in policy
            assert b"<script>" not in page.body
            assert b"style=" not in page.body
        script = await api.get("/static/js/app.js")
        assert script.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert script.headers["Cache-Control"] == "no-cache"
        for path in (
            "/static/../config.toml",
            "/static/..%2Fconfig.toml",
            "/static/%2e%2e/pyproject.toml",
            "/static//etc/passwd",
            "/static/js",
            "/static/a%00.js",
            "/static/missing.js",
        ):
            assert (await api.get(path)).status == 404, path


async def test_head_has_no_body(api: Api) -> None:
    """HEAD is GET without the body."""
    response = await api.visitor.call("HEAD", "/photos")
    assert (response.status, response.body) == (200, b"")


async def test_a_process_without_pages_or_live_serves_the_api_alone(services: InspectableServices) -> None:
    """Routes that a process does not serve are not registered."""
    server = TestServer(make_app(services))
    await server.start_server(access_log=None)
    await server.close()
    paths = {route.resource.canonical for route in server.app.router.routes() if route.resource is not None}
    assert "/" not in paths
    assert "/connection/websocket" not in paths
