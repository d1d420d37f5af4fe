"""Sharing several pictures as one photo: chosen, described, ordered, sent one after the other, and never lost."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Request, Route, expect

from tests.browser.visitor import PHONE, WITHIN, Site, Visitor, published
from tests.support.eventually import eventually
from tests.support.pictures import encoded, halves, jpeg_with_metadata, photograph

NAMES = ["rocket", "temple", "flower"]
FILES = [photograph(name) for name in NAMES]
PLAIN = encoded(halves(30, 20))
HASHES = {name: hashlib.sha256(photograph(name).read_bytes()).hexdigest() for name in NAMES}


async def choose(visitor: Visitor, files: list[Path] | list[dict[str, Any]]) -> None:
    """Choose files on the page for new photos."""
    await visitor.visit("New photo")
    await visitor.page.get_by_label("Choose a photo").set_input_files(files)  # type: ignore[arg-type]


def button(visitor: Visitor, name: str) -> Locator:
    """Return the button with a name."""
    return visitor.page.get_by_role("button", name=name)


async def describe(visitor: Visitor, *texts: str) -> None:
    """Describe the pictures in the order in which they are shown."""
    for place, text in enumerate(texts, 1):
        await button(visitor, f"Picture {place} of {len(texts)}").click()
        await visitor.page.get_by_label(f"Description of picture {place} of {len(texts)}").fill(text)


async def order(visitor: Visitor) -> list[str]:
    """Return the names of the files in their order."""
    labels = await visitor.page.locator(".strip .thumb").evaluate_all("(thumbs) => thumbs.map((one) => one.ariaLabel)")
    return [Path(label.partition(": ")[2]).stem for label in labels]


async def shared(visitor: Visitor) -> dict[str, Any]:
    """Wait until the upload is shared, and return the photo."""
    await visitor.sees_text(visitor.page.locator(".tray .state"), "Shared")
    (photo,) = (await visitor.account.call("GET", f"/users/{visitor.account.id}/photos")).expect(200)["items"]
    found: dict[str, Any] = photo
    return found


async def share(visitor: Visitor) -> None:
    """Press the button."""
    await visitor.page.get_by_role("button", name="Share", exact=True).click()


def pictures(photo: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the hash and the text of each picture."""
    return [(item["sha256"], item["alt_text"]) for item in photo["items"]]


def uploads_created(page: Page) -> list[str]:
    """Return the requests that create an upload, of those still to come."""
    created: list[str] = []

    def record(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/uploads/tus"):
            created.append(request.url)

    page.on("request", record)
    return created


async def test_several_pictures_become_one_photo(site: Site) -> None:
    """Pictures are described one by one, moved and removed; the photo has what the form showed."""
    visitor = await site.signed_in()
    await choose(visitor, [*FILES, photograph("cat")])
    await expect(visitor.page.locator(".strip .thumb")).to_have_count(4)
    await describe(visitor, "a rocket", "a temple", "a flower", "a cat")
    await button(visitor, "Remove picture").click()
    assert await order(visitor) == NAMES
    await button(visitor, "Move earlier").click()
    await button(visitor, "Move earlier").click()
    await expect(button(visitor, "Move earlier")).to_have_attribute("aria-disabled", "true")
    await expect(visitor.page.get_by_label("Description of picture 1 of 3")).to_have_value("a flower")
    await button(visitor, "Picture 2 of 3").click()
    await button(visitor, "Move later").click()
    assert await order(visitor) == ["flower", "temple", "rocket"]
    await visitor.page.get_by_label("Caption").fill("Three")
    await share(visitor)
    await expect(visitor.page.locator(".tray progress")).to_have_count(3)
    photo = await shared(visitor)
    assert photo["caption"] == "Three"
    assert pictures(photo) == [
        (HASHES["flower"], "a flower"),
        (HASHES["temple"], "a temple"),
        (HASHES["rocket"], "a rocket"),
    ]
    await visitor.sees(visitor.card("Three").get_by_role("region", name="3 pictures"))


async def test_one_picture_is_left(site: Site) -> None:
    """The form is then that of one picture, and so is the photo; more can be added."""
    visitor = await site.signed_in()
    await choose(visitor, FILES[:2])
    await describe(visitor, "a rocket", "a temple")
    await button(visitor, "Remove picture").click()
    await expect(visitor.page.get_by_label("Description", exact=True)).to_have_value("a rocket")
    await expect(button(visitor, "Choose another photo")).to_be_focused()
    await visitor.page.get_by_label("Add photos").set_input_files(FILES[2])
    await expect(visitor.page.get_by_label("Description of picture 2 of 2")).to_have_value("")
    await button(visitor, "Remove picture").click()
    await share(visitor)
    photo = await shared(visitor)
    assert "items" not in photo
    assert photo["alt_text"] == "a rocket"


async def test_what_cannot_be_added(site: Site) -> None:
    """An eleventh picture, the same file twice and a text are refused with their names; the others stay."""
    visitor = await site.signed_in()
    many = [
        {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": encoded(halves(10 + number, 10))}
        for number in range(11)
    ]
    text = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"notes"}
    await choose(visitor, [many[0], text, *many[1:]])
    alert = visitor.page.get_by_role("alert").first
    await visitor.sees_text(alert, re.compile(r"notes\.txt: Choose a photo.*10\.jpg: A photo can have ten pictures\."))
    assert await order(visitor) == [str(number) for number in range(10)]
    await button(visitor, "Remove picture").click()
    await visitor.page.get_by_label("Add photos").set_input_files(FILES[0])
    await button(visitor, "Remove picture").click()
    await visitor.page.get_by_label("Add photos").set_input_files(FILES[0])
    await expect(visitor.page.locator(".strip .thumb")).to_have_count(10)
    await button(visitor, "Picture 1 of 10").click()
    await button(visitor, "Remove picture").click()
    await visitor.page.get_by_label("Add photos").set_input_files(FILES[0])
    await visitor.sees_text(alert, "This picture was chosen already.")


async def test_the_form_outlives_a_reload(site: Site) -> None:
    """Pictures, their order and their texts are there after a reload, before anything was shared."""
    visitor = await site.signed_in()
    await choose(visitor, FILES)
    await describe(visitor, "a rocket", "a temple", "a flower")
    await button(visitor, "Move earlier").click()
    await visitor.page.get_by_label("Caption").fill("Kept")
    await visitor.page.reload()
    await expect(visitor.page.locator(".strip .thumb")).to_have_count(3, timeout=WITHIN)
    await expect(visitor.page.get_by_label("Caption")).to_have_value("Kept")
    await share(visitor)
    assert pictures(await shared(visitor)) == [
        (HASHES["rocket"], "a rocket"),
        (HASHES["flower"], "a flower"),
        (HASHES["temple"], "a temple"),
    ]


async def test_a_reload_sends_only_what_is_missing(site: Site) -> None:
    """After a reload during the second picture, the first one is not sent again."""
    visitor = await site.signed_in()
    visitor.expect_error("Failed to load resource")
    held: list[Route] = []

    async def hold_second(route: Route) -> None:
        # The creation of the second upload gets no response before the reload.
        if route.request.method == "POST" and len(created) == 2:
            held.append(route)
        else:
            await route.continue_()

    created = uploads_created(visitor.page)
    await visitor.page.route("**/uploads/tus**", hold_second)
    await choose(visitor, FILES)
    await describe(visitor, "a rocket", "a temple", "a flower")
    await share(visitor)
    await eventually(lambda: held, within=WITHIN / 1000)
    await visitor.page.reload()
    photo = await shared(visitor)
    assert pictures(photo) == [
        (HASHES["rocket"], "a rocket"),
        (HASHES["temple"], "a temple"),
        (HASHES["flower"], "a flower"),
    ]
    # The second one was created before the reload and after it, the others once.
    assert len(created) == 4


async def test_a_refused_picture_is_named_and_can_be_removed(site: Site) -> None:
    """The same picture in two files is refused by the server; it is removed in the form, and nothing else is lost."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 422")
    data = photograph("rocket").read_bytes()
    twice = [
        {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": content}
        for name, content in (("one", data), ("temple", photograph("temple").read_bytes()), ("copy", data))
    ]
    await choose(visitor, twice)
    await describe(visitor, "first", "second", "third")
    await visitor.page.get_by_label("Caption").fill("Twice")
    created = uploads_created(visitor.page)
    await share(visitor)
    failed = visitor.page.locator(".tray-item.failed")
    await visitor.sees_text(failed.locator(".state"), "Picture 3: This picture is in the photo already.")
    await failed.get_by_role("button", name="Edit").click()
    await expect(visitor.page.locator(".strip .thumb")).to_have_count(3)
    await expect(visitor.page.get_by_label("Caption")).to_have_value("Twice")
    await button(visitor, "Picture 3 of 3").click()
    await button(visitor, "Remove picture").click()
    await share(visitor)
    assert pictures(await shared(visitor)) == [(HASHES["rocket"], "first"), (HASHES["temple"], "second")]
    assert len(created) == 3


@pytest.mark.parametrize("where", ["/new", "/"])
async def test_several_files_are_dropped(site: Site, where: str) -> None:
    """Files that are dropped on any page are chosen, all of them."""
    visitor = await site.signed_in(at=None)
    await visitor.open(where)
    await visitor.sees(visitor.page.locator("main"))
    await visitor.page.evaluate(
        """async (pictures) => {
            const transfer = new DataTransfer();
            const file = ([name, bytes]) => new File([new Uint8Array(bytes)], name, { type: "image/jpeg" });
            for (const picture of pictures) transfer.items.add(file(picture));
            const options = { bubbles: true, cancelable: true, dataTransfer: transfer };
            for (const kind of ["dragenter", "drop"]) document.body.dispatchEvent(new DragEvent(kind, options));
        }""",
        [[f"{number}.jpg", list(encoded(halves(20 + number, 10)))] for number in range(3)],
    )
    await expect(visitor.page.locator(".strip .thumb")).to_have_count(3, timeout=WITHIN)


async def test_the_pictures_of_a_photo_are_edited(site: Site) -> None:
    """The form of a shared photo shows its pictures, to be described, moved and removed; only saving changes them."""
    owner = await site.signed_in(viewport=PHONE, at=None)
    photo = (await owner.account.post_pictures(*[file.read_bytes() for file in FILES], caption="Three"))["id"]
    await published(owner.account, photo)
    await owner.open(f"/p/{photo}")
    for action in ("Cancel", "Save"):
        await button(owner, "Photo options").click()
        await owner.page.get_by_role("menuitem", name="Edit photo").click()
        form = owner.page.get_by_role("dialog", name="Edit photo")
        await expect(form.get_by_label("Description of picture 1 of 3")).to_have_value("picture 1", timeout=WITHIN)
        await form.get_by_role("button", name="Picture 3 of 3").click()
        await form.get_by_label("Description of picture 3 of 3").fill("a flower")
        await form.get_by_role("button", name="Move earlier").click()
        await form.get_by_role("button", name="Picture 1 of 3").click()
        await form.get_by_role("button", name="Remove picture").click()
        await form.get_by_role("button", name=action).click()
        await owner.loses(form)
        found = (await owner.account.call("GET", f"/photos/{photo}")).expect(200)
        assert len(found["items"]) == (3 if action == "Cancel" else 2)
    assert pictures(found) == [(HASHES["flower"], "a flower"), (HASHES["temple"], "picture 2")]
    await expect(owner.page.locator(".frame:not(.cover) img")).to_have_count(2, timeout=WITHIN)
    await expect(owner.page.locator(".frame:not(.cover) img").first).to_have_attribute("alt", "a flower")


async def test_the_camera_data_of_each_picture(site: Site) -> None:
    """The owner sees the data of every picture under its number."""
    owner = await site.signed_in(at=None)
    photo = (await owner.account.post_pictures(PLAIN, jpeg_with_metadata()))["id"]
    await published(owner.account, photo)
    await owner.open(f"/p/{photo}")
    await owner.page.get_by_text("Camera and exposure").click()
    section = owner.page.locator(".exif-body")
    await expect(section.get_by_role("heading")).to_have_text(["Picture 1 of 2", "Picture 2 of 2"], timeout=WITHIN)
    await expect(section.locator("dl").nth(1)).to_contain_text("PicShare Optics")
    await expect(section.locator("dl").first).to_be_empty()
