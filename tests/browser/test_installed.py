"""The application on a home screen: it offers to be installed, has a badge, and takes what other programs share."""

from __future__ import annotations

import base64

from playwright.async_api import Page, expect

from tests.browser.offline_visit import records, with_worker
from tests.browser.visitor import WITHIN, Site
from tests.support.eventually import eventually
from tests.support.pictures import photograph

# Records what the page asks the system to do.
SYSTEM = """
    window.badges = [];
    Object.assign(Navigator.prototype, {
        setAppBadge: async (number) => { badges.push(number); },
        clearAppBadge: async () => { badges.push(0); },
    });
"""
OFFER = """() => {
    window.prompts = 0;
    const offer = new Event("beforeinstallprompt", { cancelable: true });
    offer.prompt = async () => { prompts += 1; };
    return dispatchEvent(offer);
}"""
# Sends what the share sheet of a system sends to the path of the manifest.
SHARE = """([action, photos]) => {
    const files = new DataTransfer();
    for (const [name, data] of Object.entries(photos)) {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        files.items.add(new File([bytes], name, { type: "image/jpeg" }));
    }
    const form = document.createElement("form");
    Object.assign(form, { action, method: "post", enctype: "multipart/form-data" });
    for (const [name, value] of [["title", "Holidays"], ["text", "before the crowds"], ["url", ""]]) {
        form.append(Object.assign(document.createElement("input"), { name, value }));
    }
    form.append(Object.assign(document.createElement("input"), { type: "file", name: "photos", multiple: true }));
    form.lastChild.files = files.files;
    document.body.append(form);
    form.submit();
}"""


async def last_badge(page: Page, number: int) -> None:
    """Wait until the icon of the application has this number."""
    await eventually(lambda: page.evaluate("(number) => badges.at(-1) === number", number), within=WITHIN / 1000)


async def test_the_application_is_installed_and_has_a_badge(site: Site) -> None:
    """The settings offer the installation once the browser does, until it is done; unseen notifications are counted."""
    visitor, other = await site.visitor(), await site.create_account()
    page = visitor.page
    await page.add_init_script(SYSTEM)
    await visitor.open("/signin")
    await visitor.sign_in()
    await visitor.go("/settings")
    await visitor.sees(page.get_by_role("link", name="Appearance").first)
    button = page.get_by_role("button", name="Install PicShare")
    await expect(button).to_have_count(0)
    # The page shows the offer itself: the browser does not.
    assert await page.evaluate(OFFER) is False
    await button.click()
    assert await page.evaluate("prompts") == 1
    await visitor.loses(button)
    await page.evaluate(OFFER)
    await visitor.sees(button)
    await page.evaluate("dispatchEvent(new Event('appinstalled'))")
    await visitor.loses(button)

    await last_badge(page, 0)
    await other.follow(visitor.account)
    await last_badge(page, 1)
    await visitor.visit("Notifications")
    await last_badge(page, 0)


async def test_photos_of_another_program_fill_the_form(site: Site) -> None:
    """The service worker takes what is shared, and the form has the photos and the text; they are shared once."""
    visitor = await with_worker(site)
    page = visitor.page
    manifest = await (await visitor.context.request.get(f"{site.url}/static/manifest.webmanifest")).json()
    target = manifest["share_target"]
    assert (target["method"], target["enctype"]) == ("POST", "multipart/form-data")
    photos = {name: base64.b64encode(photograph(name).read_bytes()).decode() for name in ("temple", "flower")}
    await page.evaluate(SHARE, [target["action"], photos])
    await page.wait_for_url(f"{site.url}/new**")
    await expect(page.get_by_label("Caption")).to_have_value("Holidays\nbefore the crowds", timeout=WITHIN)
    assert await records(page, "shared") == []
    await page.get_by_role("button", name="Share", exact=True).click()
    await visitor.sees(visitor.card("before the crowds"))
    (photo,) = await visitor.account.feed()
    assert len(photo["items"]) == 2
