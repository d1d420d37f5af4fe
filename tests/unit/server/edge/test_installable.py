"""What makes the web application one that can be installed: manifest, icons, screenshots, and the service worker."""

from __future__ import annotations

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


@pytest.mark.parametrize("language", ["en", "de", "ar"])
async def test_the_manifest_is_in_the_language_of_the_page(language: str) -> None:
    """A page leads to the manifest in its language, with the same id, whose texts are all translated."""
    app = web.Application()
    app.add_routes(Pages(STATIC).routes())
    async with TestClient(TestServer(app)) as client:
        page = await (await client.get("/", headers={"Accept-Language": language})).text()
        (address,) = re.findall(r'<link rel="manifest" href="([^"]+)"', page)
        response = await client.get(address)
        assert response.content_type == "application/manifest+json"
        found = json.loads(await response.text())
    english = manifest()
    assert (found["lang"], found["dir"], found["id"]) == (language, "rtl" if language == "ar" else "ltr", "/")
    assert (found == english) is (language == "en")
    for texts in (_texts(found), _texts(english)):
        assert len(set(texts)) == 6
    assert (set(_texts(found)) & set(_texts(english)) == set()) is (language != "en")


def _texts(found: Any) -> list[str]:
    named = [shortcut["name"] for shortcut in found["shortcuts"]]
    return [found["description"], *named, *(shot["label"] for shot in found["screenshots"])]


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


@pytest.mark.parametrize("screenshot", manifest()["screenshots"], ids=lambda found: found["form_factor"])
def test_screenshots_have_the_sizes_that_the_manifest_names(screenshot: dict[str, str]) -> None:
    """Make them again with `make screenshots`."""
    image = pyvips.Image.new_from_file(str(ROOT / screenshot["src"].lstrip("/")))
    assert screenshot["sizes"] == f"{image.width}x{image.height}"


def test_shortcuts_have_icons() -> None:
    """Of 96 pixels, drawn with the others."""
    for shortcut in manifest()["shortcuts"]:
        (icon,) = shortcut["icons"]
        assert icon["sizes"] == "96x96"
        assert icon["src"].rpartition("/")[2] in ICONS


def shell(script: str) -> Any:
    """Return the version and the files that the script of the worker stores."""
    (found,) = re.findall(r"^const SHELL = (\{.*\});$", script, re.MULTILINE)
    return json.loads(found)


async def test_the_worker_stores_the_files_of_the_version_that_pages_have() -> None:
    """Each is there, and to be kept; pages refer to no script or style besides, and the script is no module."""
    app = web.Application()
    app.router.add_routes(Pages(STATIC).routes())
    async with TestClient(TestServer(app)) as client:
        script = await (await client.get("/sw.js")).text()
        assert not re.search(r"^\s*(?:import|export)\b", script, re.MULTILINE)
        found = shell(script)
        page = await (await client.get("/")).text()
        assert set(re.findall(r'(?:src|rel="stylesheet" href)="(/static/[^"]+)"', page)) <= set(found["files"])
        assert f"/static/v-{found['version']}/" in page
        for path in found["files"]:
            response = await client.get(path)
            assert response.status == 200, path
            assert "immutable" in response.headers["Cache-Control"], path
    later = {path.rpartition("/joined/")[2] for path in found["files"] if "/joined/" in path}
    assert {"js/app.js", "js/settings/settings.js", "index.css"} <= later


async def test_what_is_shared_without_a_worker_leads_to_the_form() -> None:
    """The worker takes the files; the server neither reads nor keeps them."""
    app = web.Application()
    app.router.add_routes(Pages(STATIC).routes())
    assert {"/new", manifest()["share_target"]["action"]} == {"/new", "/share"}
    async with TestClient(TestServer(app)) as client:
        response = await client.post("/share", data={"text": "a photo"}, allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (303, "/new")


async def test_the_worker_is_at_the_root_with_the_policy_of_a_page() -> None:
    """The policy of its response is that of its requests: with the one of data, it could not send any."""
    app = web.Application()
    app.router.add_routes(Pages(STATIC).routes())
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/sw.js")
        assert (response.status, response.content_type) == (200, "text/javascript")
        assert response.headers["Content-Security-Policy"] == PAGE_POLICY
        assert response.headers["Cache-Control"] == "no-cache"
