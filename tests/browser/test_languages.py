"""The page in other languages: its texts, its direction, and the change of the language in all tabs."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson
import pytest
from playwright.async_api import Page, Route, expect

from locales.extraction import page_texts, server_texts
from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.api_user import API, PASSWORD
from tests.support.pictures import photograph

_MARK = "¤"
# What is text on the page but not a text of PicShare: names, numbers and times, and what users have written.
_OWN = re.compile(r"PicShare|Example ID|Deutsch|English|العربية|^[\W\d_]*$")
_TEXTS = """
() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest("script, style, noscript, [data-user], .handle, time, code, bdi")) continue;
    if (node.data.trim()) found.push(node.data.trim());
  }
  for (const element of document.querySelectorAll("[aria-label], [placeholder], [title]:not(time)")) {
    for (const name of ["aria-label", "placeholder", "title"]) {
      if (element.getAttribute(name)) found.push(element.getAttribute(name));
    }
  }
  return found;
}
"""
_OVERFLOWING = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def marked(text: str) -> str:
    """Return a text with a mark, also in each part of it that becomes an element."""
    return _MARK + re.sub(r"<(\w+)>(.*?)</\1>", rf"<\1>{_MARK}\2</\1>{_MARK}", text)


def pseudo_catalogue() -> Mapping[str, object]:
    """Return a catalogue in which each text is marked."""
    texts: dict[str, object] = {}
    for text in (*page_texts(), *server_texts()):
        key = text.text if text.context is None else f"{text.context}\x04{text.text}"
        texts[key] = marked(text.text) if text.several is None else [marked(text.text), marked(text.several)]
    return texts


async def serve_pseudo_catalogue(visitor: Visitor) -> None:
    """Have a browser get the marked texts in place of the German ones."""
    module = b"export const TEXTS = " + orjson.dumps(pseudo_catalogue()) + b";"

    async def respond(route: Route) -> None:
        await route.fulfill(body=module, content_type="text/javascript")

    await visitor.context.route("**/texts/de.js", respond)


async def unmarked(page: Page, known: set[str]) -> list[str]:
    """Return the texts of a page that no catalogue has written."""
    await expect(page.locator(".spinner, .skeleton")).to_have_count(0, timeout=WITHIN)
    texts: list[str] = await page.evaluate(_TEXTS)
    return [text for text in texts if _MARK not in text and not _OWN.search(text) and text not in known]


@pytest.mark.parametrize(
    "path",
    ["/", "/discover", "/new", "/notifications", "/settings/account", "/settings/security", "/settings/notifications"],
)
async def test_no_text_of_a_page_is_written_in_its_source_alone(site: Site, path: str) -> None:
    """With a catalogue that marks each text, the main pages have no text without a mark."""
    visitor = await site.visitor(locale="de-DE")
    await serve_pseudo_catalogue(visitor)
    await sign_in(visitor)
    await visitor.open(path)
    await visitor.live()
    name = visitor.account.name
    known = {name, f"@{name}", name[0].upper(), name[0]} | await texts_of_trends(visitor)
    assert await unmarked(visitor.page, known) == []


async def texts_of_trends(visitor: Visitor) -> set[str]:
    """Return what authors have written about the photos of all tests that the page may show."""
    photos = (await visitor.account.call("GET", "/photos/trending?limit=50")).expect(200)["items"]
    pictures = [picture for photo in photos for picture in (photo, *photo.get("items", []))]
    return {text for picture in pictures for text in (picture.get("caption"), picture.get("alt_text")) if text}


async def test_no_text_of_photos_and_profiles_is_written_in_their_sources_alone(site: Site) -> None:
    """The same for a photo with a comment, and for the profile of its author."""
    visitor = await site.visitor(locale="de-DE")
    author = visitor.account
    photo = await author.upload(photograph(), "Quellwolken")
    await published(author, photo["id"])
    (await author.call("POST", f"/photos/{photo['id']}/comments", json={"text": "Wolkenbild"})).expect(201)
    await serve_pseudo_catalogue(visitor)
    await sign_in(visitor)
    known = {author.name, f"@{author.name}", author.name[0], author.name[0].upper(), "Quellwolken", "Wolkenbild"}
    for path in (f"/p/{photo['id']}", f"/u/{author.name}"):
        await visitor.open(path)
        await visitor.live()
        assert await unmarked(visitor.page, known) == []


async def sign_in(visitor: Visitor) -> None:
    """Sign in by the API, for a page whose labels are not English."""
    fields = {"username": visitor.account.name, "password": PASSWORD, "cookie": True}
    response = await visitor.context.request.post(f"{visitor.url}{API}/tokens", data=fields)
    assert response.ok, await response.text()


async def test_a_german_browser_gets_the_page_in_german(site: Site) -> None:
    """The document names its language, and texts, plurals, numbers and errors are in it."""
    visitor = await site.visitor(locale="de-DE")
    await visitor.open("/signin")
    page = visitor.page
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await visitor.sees(page.get_by_role("button", name="Anmelden", exact=True))
    await page.get_by_label("Benutzername oder E-Mail").fill(visitor.account.name)
    await page.get_by_label("Passwort", exact=True).fill("not the password")
    visitor.expect_error("401")
    await page.get_by_role("button", name="Anmelden", exact=True).click()
    await visitor.sees(page.get_by_text("Der Benutzername oder das Passwort ist falsch."))
    assert await page.title() == "Anmelden · PicShare"


async def test_arabic_is_laid_out_from_right_to_left(site: Site) -> None:
    """The navigation is at the right, and nothing is wider than a small screen."""
    visitor = await site.signed_in(locale="ar-EG")
    page = visitor.page
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    box = await page.locator("nav.nav").bounding_box()
    assert box is not None
    assert box["x"] > 640
    await page.set_viewport_size({"width": 320, "height": 700})
    for path in (
        "/",
        "/discover",
        "/new",
        "/notifications",
        "/settings",
        "/settings/account",
        f"/u/{visitor.account.name}",
    ):
        await visitor.open(path)
        await visitor.live()
        await expect(page.locator(".spinner")).to_have_count(0, timeout=WITHIN)
        assert await page.evaluate(_OVERFLOWING) <= 0, path


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "لا صور"), (1, "صورة واحدة"), (2, "صورتان"), (3, "٣ صور"), (11, "١١ صورة"), (100, "١٠٠ صورة")],
)
async def test_arabic_has_six_plural_forms(site: Site, count: int, text: str) -> None:
    """Each number gets the form that Intl.PluralRules chooses."""
    visitor = await site.visitor(locale="ar-EG")
    await visitor.open("/signin")
    page = visitor.page
    await expect(page.locator("html")).to_have_attribute("lang", "ar")
    await visitor.sees(page.locator("form"))
    module = "globalThis.picshareModules['js/elements/texts.js']"
    written = await page.evaluate(
        f"(count) => String({module}.tn('{{count}} photo', '{{count}} photos', count))", count
    )
    assert written == text


async def test_a_change_of_the_language_reaches_every_tab_and_loses_nothing(site: Site) -> None:
    """What is being written in another tab stays, and the account keeps the choice for other browsers."""
    visitor = await site.signed_in()
    first = visitor.page
    second = await visitor.context.new_page()
    await second.goto(visitor.url + "/settings/profile")
    await second.get_by_label("About you").fill("Half a sentence")
    await visitor.open("/settings/account")
    await first.get_by_role("combobox", name="Language").select_option("de")
    await visitor.sees(first.get_by_role("heading", name="Konto", exact=True))
    await expect(second.get_by_label("Über dich")).to_have_value("Half a sentence", timeout=WITHIN)
    await expect(second.locator("html")).to_have_attribute("lang", "de")
    assert await second.title() == "Profil · PicShare"

    elsewhere = await site.signed_in(visitor.account)
    await expect(elsewhere.page.locator("html")).to_have_attribute("lang", "de", timeout=WITHIN)
    await first.get_by_role("combobox", name="Sprache").select_option("auto")
    await visitor.sees(first.get_by_role("heading", name="Account", exact=True))
    await expect(second.get_by_label("About you")).to_have_value("Half a sentence", timeout=WITHIN)


async def test_a_visitor_chooses_a_language_for_the_browser(site: Site) -> None:
    """The choice is kept over a reload, for which the server writes the document in it."""
    visitor = await site.visitor(viewport=PHONE)
    await visitor.open("/signin")
    page = visitor.page
    await page.get_by_role("combobox", name="Language").select_option("ar")
    await visitor.sees(page.get_by_role("button", name="تسجيل الدخول", exact=True))
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    await page.reload()
    await visitor.sees(page.get_by_role("button", name="تسجيل الدخول", exact=True))
    assert 'lang="ar"' in await (await visitor.context.request.get(f"{visitor.url}/signin")).text()
