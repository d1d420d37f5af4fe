"""Servers of reads or writes alone: each request is executed by one of them, and refused by the other."""

from __future__ import annotations

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.access_log import EventLog
from server.edge.client_addresses import ClientAddresses
from server.edge.cors import CrossOrigin
from server.edge.method_roles import only
from server.edge.methods import Methods, accepts
from server.edge.middleware import NoHttpMetrics, edge

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def test_each_method_belongs_to_one_server() -> None:
    """Reads and writes complement each other; OPTIONS belongs to both, as preflights arrive before either."""
    path = "/api/v1/photos"
    reads = {method for method in METHODS if accepts(Methods.READS, method, path)}
    writes = {method for method in METHODS if accepts(Methods.WRITES, method, path)}
    assert reads == {"GET", "HEAD"}
    assert writes == set(METHODS) - reads
    assert all(accepts(methods, "OPTIONS", path) for methods in Methods)
    assert all(accepts(Methods.ALL, method, path) for method in METHODS)


def test_reads_that_belong_to_a_write_are_answered_by_both() -> None:
    """The offset of an upload and the callback of a sign-in are read where the rest of it happens, too."""
    for path in ("/api/v1/uploads/tus/7", "/api/v1/oidc/google/callback", "/api/v1/mail/unsubscribe"):
        assert accepts(Methods.WRITES, "HEAD", path)
        assert accepts(Methods.READS, "GET", path)


@pytest.mark.parametrize(("methods", "refused", "answered"), [("READS", "POST", "GET"), ("WRITES", "GET", "POST")])
async def test_a_misdirected_request_is_not_executed(methods: str, refused: str, answered: str) -> None:
    """The other server's methods get a 421 on every path, so that a proxy may send them there."""
    executed: list[str] = []

    async def respond(request: web.Request) -> web.Response:
        executed.append(f"{request.method} {request.path}")
        return web.Response(text="done")

    outermost = edge(ClientAddresses(()), CrossOrigin(()), NoHttpMetrics(), EventLog(), secure=False)
    app = web.Application(middlewares=[outermost, only(Methods[methods])])
    app.router.add_route("*", "/api/v1/photos", respond)
    app.router.add_get("/healthz", respond)
    async with TestClient(TestServer(app)) as client:
        for path in ("/api/v1/photos", "/api/v1/nothing"):
            response = await client.request(refused, path)
            assert response.status == 421
            assert (await response.json())["code"] == "misdirected"
        assert (await client.request(answered, "/api/v1/photos")).status == 200
        # Load balancers ask every server for its health.
        assert (await client.get("/healthz")).status == 200
    assert executed == [f"{answered} /api/v1/photos", "GET /healthz"]
