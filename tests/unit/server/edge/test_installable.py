"""What makes the web application one that can be installed: manifest, icons, service worker, and the offline page."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
import pyvips
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from server.edge.middleware import PAGE_POLICY
from server.edge.pages import CLIENT_ROUTES, Pages
from tests.support.documents import ROOT
from tests.support.icons import FOLDER, ICONS, drawn

STATIC = ROOT / "static"
WORKER = (STATIC / "sw.js").read_text()


def offline_files() -> list[str]:
    """Return the paths that the service worker stores."""
    (listed,) = re.findall(r"const OFFLINE_FILES = \[([^\]]+)\]", WORKER)
    return ["/offline", *re.findall(r'"([^"]+)"', listed)]


def manifest() -> Any:
    """Return the manifest."""
    return json.loads((STATIC / "manifest.webmanifest").read_text())


def test_the_manifest_has_what_browsers_want_before_they_offer_to_install() -> None:
    """Names, the first page, and icons of 192 and 512 pixels, once as they are and once to be cut to any shape."""
    found = manifest()
    assert {"id", "name", "short_name", "description", "start_url", "scope", "display"} <= found.keys()
    assert found["display"] == "standalone"
    assert {found["start_url"], *(shortcut["url"] for shortcut in found["shortcuts"])} <= set(CLIENT_ROUTES)
    assert found["scope"] == found["id"] == "/"
    sizes = {(icon["sizes"], icon.get("purpose", "any")) for icon in found["icons"] if icon["type"] == "image/png"}
    assert sizes == {(size, purpose) for size in ("192x192", "512x512") for purpose in ("any", "maskable")}
    for icon in found["icons"]:
        path = ROOT / icon["src"].lstrip("/")
        if icon["type"] == "image/png":
            image = pyvips.Image.new_from_file(str(path))
            assert icon["sizes"] == f"{image.width}x{image.height}"
        else:
            assert path.is_file()


@pytest.mark.parametrize("name", sorted(ICONS))
def test_icons_are_drawn_from_their_svg_files(name: str) -> None:
    """After a change of one, draw them again: `python -m tests.support.icons`."""
    source, side = ICONS[name]
    stored = pyvips.Image.new_from_file(str(FOLDER / name)).colourspace("srgb")
    expected = drawn(source, side)
    assert (stored.width, stored.height) == (side, side)
    stored = stored if stored.bands == 4 else stored.bandjoin(255)
    # Colours do not count where nothing is opaque; the palette of the file has 256 of them.
    difference = (stored.premultiply() - expected.premultiply()).abs()
    assert difference.avg() < 1.0


def test_icons_to_be_cut_are_opaque_and_keep_their_drawing_inside() -> None:
    """Within the circle of 80 % that every shape keeps (https://www.w3.org/TR/appmanifest/#icon-masks)."""
    image = drawn("maskable.svg", 512)
    assert image[3].min() == 255
    background = image.getpoint(0, 0)[:3]
    other = (image[:3] != background).bandor()
    x, y = pyvips.Image.xyz(512, 512)[0] - 255.5, pyvips.Image.xyz(512, 512)[1] - 255.5
    outside = (x * x + y * y) > (0.4 * 512) ** 2
    assert (other & outside).max() == 0


def test_the_version_of_the_service_worker_is_that_of_its_files() -> None:
    """Browsers store the files again when the version changes, and only then."""
    digest = hashlib.sha256()
    for path in offline_files():
        digest.update((STATIC / ("offline/index.html" if path == "/offline" else path[1:])).read_bytes())
    (version,) = re.findall(r'^const VERSION = "(\w+)";$', WORKER, re.MULTILINE)
    assert version == digest.hexdigest()[:12], "Write this version into static/sw.js."


def test_the_offline_page_uses_nothing_that_is_not_stored() -> None:
    """Each address in it is one of the stored files."""
    page = (STATIC / "offline" / "index.html").read_text()
    used = set(re.findall(r'(?:href|src)="([^"]+)"', page))
    assert used <= set(offline_files())


async def test_the_worker_is_at_the_root_with_the_policy_of_a_page() -> None:
    """The policy of its response is that of its requests: with the one of data, it could not send any."""
    app = web.Application()
    app.router.add_routes(Pages(STATIC).routes())
    async with TestClient(TestServer(app)) as client:
        for path, kind in (("/sw.js", "text/javascript"), ("/offline", "text/html")):
            response = await client.get(path)
            assert (response.status, response.content_type) == (200, kind)
            assert response.headers["Content-Security-Policy"] == PAGE_POLICY
            assert response.headers["Cache-Control"] == "no-cache"
        for path in offline_files():
            response = await client.get(path)
            assert (response.status, response.headers["Cache-Control"]) == (200, "no-cache")
        # The page itself refers to what is stored, and not to files of one version.
        assert "/static/" not in await (await client.get("/offline")).text()
