"""Drafts: what was chosen and written before it was shared is found again after a crash, and by no one else."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.visitor import WITHIN, Site, Visitor
from tests.support.eventually import eventually
from tests.support.pictures import photograph

FORMS = """() => new Promise((resolve) => {
    const opened = indexedDB.open("picshare", 1);
    opened.onsuccess = () => {
        const found = opened.result.transaction("drafts").objectStore("drafts").getAll();
        found.onsuccess = () => { opened.result.close(); resolve(found.result.map(KEPT)); };
    };
})""".replace("KEPT", '({ file, texts }) => file ? "file" : (texts?.caption ?? "")')


async def kept(page: Page, *expected: str) -> None:
    """Wait until the browser keeps these files and captions."""

    async def same() -> bool:
        assert sorted(await page.evaluate(FORMS)) == sorted(expected)
        return True

    await eventually(same, within=WITHIN / 1000)


async def begin(visitor: Visitor, caption: str) -> None:
    """Choose two pictures and write a caption and the description of the first."""
    await visitor.visit("New photo")
    await visitor.page.get_by_label("Choose a photo").set_input_files([photograph("rocket"), photograph("temple")])
    await visitor.page.get_by_role("button", name="Picture 1 of 2").click()
    await visitor.page.get_by_label("Description of picture 1 of 2").fill("a rocket")
    await visitor.page.get_by_role("button", name="Move later").click()
    await visitor.page.get_by_label("Caption").fill(caption)
    await kept(visitor.page, "file", "file", caption)


async def test_a_draft_outlives_a_crash(site: Site) -> None:
    """A new tab offers the draft of one that is gone, with pictures in their order and texts; sharing removes it."""
    visitor = await site.signed_in()
    await begin(visitor, "Before the crash")
    await visitor.page.evaluate("() => sessionStorage.clear()")
    crashed = visitor.page
    visitor.page = await visitor.context.new_page()
    await crashed.close()
    await visitor.open("/new")
    offer = visitor.page.get_by_role("region", name="Continue your draft?")
    await expect(offer).to_contain_text("2 pictures, left just now", timeout=WITHIN)
    await expect(offer).to_contain_text("Before the crash")
    await offer.get_by_role("button", name="Continue").click()
    await expect(visitor.page.get_by_label("Caption")).to_have_value("Before the crash", timeout=WITHIN)
    await expect(visitor.page.locator(".strip .thumb")).to_have_count(2)
    labels = await visitor.page.locator(".strip .thumb").evaluate_all("(all) => all.map((one) => one.ariaLabel)")
    assert ["temple" in labels[0], "rocket" in labels[1]] == [True, True]
    await visitor.page.get_by_role("button", name="Picture 2 of 2").click()
    await expect(visitor.page.get_by_label("Description of picture 2 of 2")).to_have_value("a rocket")
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await visitor.sees(visitor.card("Before the crash"))
    await kept(visitor.page)


async def test_a_draft_is_offered_once(site: Site) -> None:
    """The draft of a tab that is open is not offered, and one that is discarded is removed."""
    visitor = await site.signed_in()
    await begin(visitor, "In the first tab")
    second = await visitor.context.new_page()
    await second.goto(f"{visitor.url}/new")
    await expect(second.get_by_label("Choose a photo")).to_be_attached(timeout=WITHIN)
    # The offer would be there before this text is kept.
    await second.get_by_label("Choose a photo").set_input_files(photograph("cat"))
    await second.get_by_label("Caption").fill("In the second tab")
    await kept(second, "file", "file", "file", "In the first tab", "In the second tab")
    await second.get_by_role("button", name="Discard").click()
    await kept(second, "file", "file", "In the first tab")
    await expect(second.get_by_role("region", name="Continue your draft?")).to_have_count(0)
    await visitor.page.close()
    await second.reload()
    await second.get_by_role("button", name="Discard it").click()
    await kept(second)
    await second.reload()
    await expect(second.get_by_label("Choose a photo")).to_be_attached(timeout=WITHIN)
    await expect(second.get_by_role("region", name="Continue your draft?")).to_have_count(0)


async def test_a_draft_belongs_to_an_account(site: Site) -> None:
    """Another user of the same browser is not offered it, and signing out removes it."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 40[13]")
    await begin(visitor, "Of the first user")
    await visitor.visit("Home")
    await visitor.page.get_by_role("link", name="Settings").click()
    await visitor.page.get_by_role("button", name="Sign out").click()
    await visitor.sees(visitor.page.get_by_role("button", name="Sign in"))
    await kept(visitor.page)
