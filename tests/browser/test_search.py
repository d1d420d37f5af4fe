"""The search in the browser: results while typing, tabs, highlighted words, recent searches, keyboard."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from playwright.async_api import Error, Locator, Page, Route, expect

from tests.browser.modules import call
from tests.browser.visitor import PHONE, WITHIN, Site, published
from tests.support.eventually import DEADLINE
from tests.support.pictures import photograph

MARKED = "m.matches(a[0], m.searchedWords(a[1])).map(([start, end]) => a[0].slice(start, end))"


def _field(page: Page) -> Locator:
    return page.get_by_label("Search people, tags and photos")


async def test_a_search_while_typing(site: Site) -> None:
    """People and photos are found while typing, opened by the keyboard, and the search is there afterwards."""
    author = await site.create_account()
    word = f"x{author.name[-8:]}"
    (await author.call("PATCH", "/users/me", json={"display_name": f"Zoë {word}"})).expect(200)
    photo = (await author.upload(photograph(), f"A {word} on the beach"))["id"]
    await published(author, photo)
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    await visitor.visit("Discover")
    await visitor.sees(page.get_by_role("heading", name="New photos"))
    await _field(page).fill(f"zoe {word}")
    people = page.get_by_role("link", name=f"Zoë {word}")
    await visitor.sees(people)
    await expect(page.locator(".search-results mark")).to_have_text(["Zoë", word])
    await expect(page.get_by_role("heading", name="New photos")).to_be_hidden()
    await _field(page).fill(word)
    await visitor.sees(page.locator(f".search-results .cell[data-photo='{photo}']"))
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    await page.get_by_role("tab", name="Photos").click()
    await visitor.loses(people)
    await visitor.sees(page.locator(f".search-results .cell[data-photo='{photo}']"))
    await page.keyboard.press("ArrowLeft")
    await expect(page.get_by_role("tab", name="Tags")).to_have_attribute("aria-selected", "true")
    await visitor.sees(page.get_by_role("heading", name="Nothing found"))
    await page.keyboard.press("ArrowLeft")
    await visitor.sees(people)
    await _field(page).focus()
    await page.keyboard.press("ArrowDown")
    await expect(people).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(_field(page)).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await visitor.sees(page.get_by_role("button", name="Follow", exact=True))
    await page.go_back()
    await visitor.sees(people)
    await page.reload()
    await expect(_field(page)).to_have_value(word, timeout=WITHIN)
    await expect(page.get_by_role("tab", name="People")).to_have_attribute("aria-selected", "true")
    await visitor.sees(people)


async def test_recent_searches(site: Site) -> None:
    """A search that was used is offered in the empty field, can be forgotten, and is gone after signing out."""
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.visit("Discover")
    for text in ("quokka", "narwhal"):
        await _field(page).fill(text)
        await _field(page).press("Enter")
    await _field(page).fill("zyzzyva")
    await visitor.sees(page.get_by_role("heading", name="Nothing found"))
    await _field(page).fill("")
    recent = page.locator(".recent-text")
    await expect(recent).to_have_text(["narwhal", "quokka"], timeout=WITHIN)
    await visitor.sees(page.get_by_role("heading", name="Discover"))
    await page.get_by_role("button", name="Forget quokka").click()
    await expect(recent).to_have_text(["narwhal"])
    await recent.click()
    await expect(_field(page)).to_have_value("narwhal")
    await visitor.sees(page.get_by_role("heading", name="Nothing found"))
    await visitor.visit("Discover")
    await visitor.open("/settings")
    await page.get_by_role("button", name="Sign out").click()
    await visitor.sees(page.get_by_label("Password"))
    assert await page.evaluate("localStorage.getItem('picshare.searches')") is None


async def test_a_failed_search_says_so(site: Site) -> None:
    """An error is shown in place of the results, and what is missing is said."""
    visitor = await site.signed_in()
    page = visitor.page
    await visitor.visit("Discover")
    visitor.expect_error("503")
    await page.route("**/api/v1/search?*", lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    await _field(page).fill("x")
    await visitor.sees(page.get_by_role("heading", name="Could not search"))
    await visitor.sees(page.get_by_text("Not now."))
    await page.unroute_all()
    await page.route(
        "**/api/v1/search?*",
        lambda route: route.fulfill(
            json={"users": [], "tags": [{"tag": "sea", "photos": 2}], "photos": [], "partial": True}
        ),
    )
    await _field(page).fill("sea")
    await visitor.sees(page.get_by_role("link", name="sea", exact=True))
    await visitor.sees(page.get_by_text("2 photos"))
    await visitor.sees(page.get_by_text("results may be missing"))


async def test_a_late_response_is_not_shown(site: Site) -> None:
    """The results are those of the text in the field, also if an earlier search is answered after it."""
    visitor = await site.signed_in()
    page = visitor.page
    asked, later = asyncio.Event(), asyncio.Event()

    async def answer(route: Route) -> None:
        text = "late" if route.request.url.split("?")[1].startswith("q=a&") else "sea"
        if text == "late":
            asked.set()
            await later.wait()
        # The page has given up the earlier request.
        with suppress(Error):
            await route.fulfill(
                json={"users": [], "tags": [{"tag": text, "photos": 1}], "photos": [], "partial": False}
            )

    await visitor.visit("Discover")
    await page.route("**/api/v1/search?*", answer)
    await _field(page).fill("a")
    await asyncio.wait_for(asked.wait(), DEADLINE)
    await _field(page).fill("sea")
    await visitor.sees(page.get_by_role("link", name="sea", exact=True))
    later.set()
    await _field(page).fill("seal")
    await page.wait_for_url("**q=seal*")
    await visitor.sees(page.get_by_role("link", name="sea", exact=True))
    await expect(page.get_by_role("link", name="late", exact=True)).to_have_count(0)


@pytest.mark.parametrize(
    ("text", "query", "marked"),
    [
        ("Zoë Müller", "mul zoe", ["Zoë", "Mül"]),
        ("joanna", "ann", ["ann"]),
        ("joanna", "nn", []),
        ("anna_nina", "@ANN n", ["ann", "n"]),
        ("Straße", "strasse", []),
        ("ＷＩＤＥ ﬁne", "wide fi", ["ＷＩＤＥ", "ﬁ"]),
        ("Мария Ёлкина", "елк", ["Ёлк"]),
        ("a<b>&amp;", "amp", ["amp"]),
        ("anything", "%_ ", []),
        ("aaaa", "aaa aa", ["aaa"]),
    ],
)
async def test_words_are_highlighted_where_they_fit(
    module_page: Page, text: str, query: str, marked: list[str]
) -> None:
    """Without case and accents, short words at the beginning of a word only, and every part once."""
    assert await call(module_page, "js/elements/highlight", MARKED, [text, query]) == marked
