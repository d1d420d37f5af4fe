"""Links to photos and profiles as chats, other sites and crawlers see them: as visitors without an account."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from defusedxml import ElementTree

from tests.support.api import Api, InspectableServices, running_api
from tests.support.api_user import ApiUser, Response
from tests.support.documents import ROOT
from tests.support.pictures import photograph

pytestmark = pytest.mark.engines

SITE = "https://pics.example"
HOSTILE = '"><script>alert(1)</script> & <b>'


@pytest.fixture
async def api(services: InspectableServices) -> AsyncIterator[Api]:
    """A running API with the web application, whose users see it at another address."""
    settings = dataclasses.replace(services.settings, static_dir=ROOT / "static", public_url=SITE)
    async with running_api(dataclasses.replace(services, settings=settings)) as running:
        yield running


async def get(api: Api, address: str, **options: Any) -> Response:
    """Request a path, or an absolute address of the site."""
    return await api.get(address.removeprefix(SITE), **options)


async def tags(api: Api, path: str, **headers: str) -> dict[str, str]:
    """Return what the head of a page says: its title, meta tags by name or property, and links by their relation."""
    response = await get(api, path, headers={"Accept": "text/html", **headers})
    assert response.status == 200
    head = response.body.decode().partition("</head>")[0]
    found = {"title": unescape(re.findall(r"<title>(.*?)</title>", head)[0])}
    for _, name, content in re.findall(r'<meta (name|property)="([^"]+)" content="([^"]*)">', head):
        found[name] = unescape(content)
    for relation, address in re.findall(r'<link rel="(canonical|alternate)"[^>]* ?href="([^"]*)">', head):
        found[relation] = unescape(address)
    return found


async def published(api: Api, user: ApiUser, caption: str = "", **changes: Any) -> dict[str, Any]:
    """Post a photo, and wait until it is ready."""
    photo = await user.upload(photograph(), caption)
    if changes:
        (await user.call("PATCH", f"/photos/{photo['id']}", json=changes)).expect(200)
    await api.finish(photo)
    return photo


async def embedded(api: Api, url: str, **query: str) -> Response:
    """Return the answer of oEmbed."""
    return await get(api, "/oembed", params={"url": url, **query})


async def test_the_link_of_a_photo_has_a_preview(api: Api) -> None:
    """It has the caption, the author, the image with its size, and leads to oEmbed; no text escapes into the page."""
    ann = await api.user("ann")
    photo = await published(api, ann, f"Sea {HOSTILE}", alt_text="Waves")
    found = await tags(api, f"/p/{photo['id']}")
    assert found["title"] == f"ann: Sea {HOSTILE} · PicShare"
    assert found["description"] == found["og:description"] == f"Sea {HOSTILE}"
    assert found["canonical"] == found["og:url"] == f"{SITE}/p/{photo['id']}"
    assert found["og:image:alt"] == "Waves"
    assert found["twitter:card"] == "summary_large_image"
    assert "robots" not in found
    image = await get(api, found["og:image"])
    assert (image.status, image.headers["Content-Type"]) == (200, "image/jpeg")
    assert int(found["og:image:width"]) > 300

    answer = (await get(api, found["alternate"])).expect(200)
    assert (answer["version"], answer["type"], answer["author_name"]) == ("1.0", "photo", "ann")
    assert answer["url"] == found["og:image"]
    small = (await embedded(api, found["canonical"], maxwidth="320")).expect(200)
    assert small["width"] <= 320


async def test_a_signed_in_browser_gets_the_page_as_it_is(api: Api) -> None:
    """What its user may see is shown by the script; the page is the same for all paths, so that it is kept."""
    photo = await published(api, await api.user("ann"), "Sea")
    found = await tags(api, f"/p/{photo['id']}", Cookie="picshare_csrf=x")
    assert found["title"] == "PicShare"


@pytest.mark.parametrize("changes", [{"audience": "followers"}, {"audience": "only_me"}], ids=["followers", "only me"])
async def test_what_visitors_may_not_see_has_no_preview(api: Api, changes: dict[str, str]) -> None:
    """Neither the page, nor oEmbed, nor the embedded form, nor the sitemap says anything about it."""
    photo = await published(api, await api.user("ann"), "Secret", **changes)
    path = f"/p/{photo['id']}"
    assert await tags(api, path) == {**await tags(api, "/p/0000000000000"), "title": "PicShare"}
    assert (await embedded(api, SITE + path)).status == 404
    assert (await get(api, f"{path}/embed")).status == 404
    assert path not in (await get(api, "/sitemap.xml")).body.decode()


async def test_a_private_account_has_no_preview(api: Api) -> None:
    """A public one has its name and numbers, or what it says of itself."""
    ann, eve = await api.user("ann"), await api.user("eve")
    (await eve.call("PATCH", "/users/me", json={"private": True, "bio": "Secret"})).expect(200)
    (await ann.call("PATCH", "/users/me", json={"display_name": "Ann B.", "bio": "Sea\nand sky"})).expect(200)
    found = await tags(api, "/u/ann")
    assert (found["title"], found["description"]) == ("Ann B. (@ann) · PicShare", "Sea and sky")
    assert (await embedded(api, f"{SITE}/u/ann")).expect(200)["type"] == "link"
    hidden = await tags(api, "/u/eve")
    assert (hidden["title"], hidden["robots"]) == ("PicShare", "noindex")
    assert (await embedded(api, f"{SITE}/u/eve")).status == 404


async def test_a_sensitive_photo_is_previewed_without_its_image(api: Api) -> None:
    """A preview cannot ask whether its viewer wants to see the image."""
    photo = await published(api, await api.user("ann"), "Careful", sensitive=True)
    found = await tags(api, f"/p/{photo['id']}")
    assert found["og:title"] == "ann: Careful"
    assert "og:image" not in found
    assert found["robots"] == "noindex"
    page = (await get(api, f"/p/{photo['id']}/embed")).body.decode()
    assert "<img" not in page


async def test_an_embedded_photo_may_be_framed_by_any_site(api: Api) -> None:
    """It has no script, and its policy allows none; the application itself may not be framed."""
    photo = await published(api, await api.user("ann"), HOSTILE, alt_text=HOSTILE)
    response = await get(api, f"/p/{photo['id']}/embed")
    policy = response.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy
    assert "default-src 'none'" in policy
    assert b"<script" not in response.body
    page = await get(api, f"/p/{photo['id']}")
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


async def test_crawlers_find_the_sitemap(api: Api) -> None:
    """It lists photos that everyone may see, and their authors, unless these do not want to be found."""
    ann, eve = await api.user("ann"), await api.user("eve")
    shown, hidden = await published(api, ann), await published(api, eve)
    (await eve.call("PATCH", "/users/me", json={"searchable": False})).expect(200)
    robots = (await get(api, "/robots.txt")).body.decode()
    assert "Disallow: /api/\n" in robots
    address = re.findall(r"^Sitemap: (.*)$", robots, re.MULTILINE)[0]
    root = ElementTree.fromstring((await get(api, address)).body)
    urls = {element.text for element in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")}
    assert urls == {f"{SITE}/p/{shown['id']}", f"{SITE}/u/ann"}
    found = await tags(api, f"/p/{hidden['id']}")
    assert (found["og:title"], found["robots"]) == ("Photo by eve", "noindex")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"url": "https://elsewhere.example/p/1"}, 404),
        ({"url": "/p/1"}, 404),
        ({"url": "{url}/settings"}, 404),
        ({"url": "{url}/p/%00"}, 404),
        ({"url": "{url}/u/nobody"}, 404),
        ({"url": "{url}/p/0000000000000", "format": "xml"}, 400),
        ({"url": "{url}/p/0000000000000", "maxwidth": "0"}, 400),
        ({"url": "{url}/p/" + "x" * 3000}, 400),
    ],
    ids=["nothing", "elsewhere", "relative", "no photo", "nul", "unknown", "xml", "no width", "long"],
)
async def test_bad_oembed_requests(api: Api, query: dict[str, str], status: int) -> None:
    """Each is a problem that says what is wrong."""
    params = {name: value.replace("{url}", SITE) for name, value in query.items()}
    response = await get(api, "/oembed", params=params)
    assert response.status == status, response.body
    assert response.json["code"]


async def test_previews_are_in_the_language_of_the_client(api: Api) -> None:
    """What PicShare says of photos and accounts without texts of their own; caches learn what decides about it."""
    ann = await api.user("ann")
    photo = await published(api, ann)
    german = {"Accept-Language": "de"}
    found = await tags(api, f"/p/{photo['id']}", **german)
    assert found["og:title"] == found["og:description"] == found["og:image:alt"] == "Foto von ann"
    assert (await tags(api, "/u/ann", **german))["description"] == "1 Foto · 0 Follower"
    page = await get(api, f"/p/{photo['id']}", headers={"Accept": "text/html", **german})
    assert (page.headers["Content-Language"], "Accept-Language" in page.headers["Vary"]) == ("de", True)
    answer = await embedded(api, f"{SITE}/p/{photo['id']}")
    assert answer.expect(200)["title"] == "Photo by ann"
    answer = await get(api, "/oembed", params={"url": f"{SITE}/p/{photo['id']}"}, headers=german)
    assert answer.expect(200)["title"] == "Foto von ann"
    assert (answer.headers["Content-Language"], answer.headers["Vary"]) == ("de", "Accept-Language")
