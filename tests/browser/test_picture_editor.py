"""Pictures are cropped and turned before they are uploaded: by keys and pointer, with undo, and with their metadata."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Locator, expect

from tests.browser.visitor import PHONE, WITHIN, Site, Visitor
from tests.support.eventually import eventually
from tests.support.pictures import encoded, halves, jpeg_with_metadata, photograph

MAKE, ORIENTATION, GPS = 0x010F, 0x0112, 0x8825


def file(data: bytes, kind: str = "jpeg") -> dict[str, Any]:
    """Return a file for the chooser."""
    return {"name": f"halves.{kind}", "mimeType": f"image/{kind}", "buffer": data}


async def edit(visitor: Visitor) -> Locator:
    """Open the dialog for the selected picture."""
    await visitor.page.get_by_role("button", name="Crop and rotate").click()
    dialog = visitor.page.get_by_role("dialog", name="Crop and rotate")
    await expect(dialog).to_be_visible(timeout=WITHIN)
    return dialog


async def original(visitor: Visitor) -> Image.Image:
    """Share the photo, and return the original that the service has stored."""
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await visitor.sees_text(visitor.page.locator(".tray .state"), "Shared")

    async def stored() -> str:
        (photo,) = (await visitor.account.call("GET", f"/users/{visitor.account.id}/photos")).expect(200)["items"]
        url: str = (await visitor.account.call("GET", f"/photos/{photo['id']}")).expect(200)["urls"]["original"]
        return url

    response = await visitor.context.request.get(visitor.url + await eventually(stored))
    return Image.open(io.BytesIO(await response.body()))


def colours(image: Image.Image) -> list[str]:
    """Return which of the corners are red and blue, clockwise from the upper left."""
    width, height = image.size
    corners = [(2, 2), (width - 3, 2), (width - 3, height - 3), (2, height - 3)]
    pixels = [image.convert("RGB").getpixel(corner) for corner in corners]
    return ["red" if red > blue else "blue" for red, _, blue in pixels]  # type: ignore[misc]


@pytest.mark.parametrize("metadata", [True, False])
async def test_a_jpeg_is_turned_without_loss(site: Site, metadata: bool) -> None:
    """The stored file has the pixels of the chosen one and says that they are to be turned; nothing else changes."""
    data = jpeg_with_metadata(orientation=3) if metadata else encoded(halves())
    visitor = await site.signed_in()
    await visitor.choose(file(data))
    dialog = await edit(visitor)
    await dialog.get_by_role("button", name="Rotate right").click()
    await expect(dialog.get_by_role("status")).to_have_text("40 × 60 pixels")
    await dialog.get_by_role("button", name="Apply").click()
    stored = await original(visitor)
    assert stored.getexif()[ORIENTATION] == (8 if metadata else 6)
    assert stored.tobytes() == Image.open(io.BytesIO(data)).tobytes()
    if metadata:
        assert stored.getexif()[MAKE] == "PicShare Optics"
        assert stored.getexif().get_ifd(GPS)[1] == "N"


async def test_a_jpeg_is_cropped_by_keys(site: Site) -> None:
    """The arrow keys move the corners; the result is upright, and has the metadata of the original."""
    visitor = await site.signed_in()
    await visitor.choose(file(jpeg_with_metadata(orientation=6)))
    dialog = await edit(visitor)
    # Upright, the red half is above the blue one.
    await expect(dialog.get_by_role("status")).to_have_text("40 × 60 pixels")
    await dialog.get_by_role("button", name="Corner at the bottom right").focus()
    for key in ["Shift+ArrowUp"] * 6 + ["Shift+ArrowLeft"] * 5 + ["ArrowRight"] * 5:
        await visitor.page.keyboard.press(key)
    await expect(dialog.get_by_role("status")).to_have_text("22 × 24 pixels")
    await dialog.get_by_role("button", name="Undo").click()
    await expect(dialog.get_by_role("status")).to_have_text("22 × 24 pixels")
    await dialog.get_by_role("button", name="Apply").click()
    stored = await original(visitor)
    assert (stored.format, stored.size, colours(stored)) == ("JPEG", (22, 24), ["red"] * 4)
    assert stored.getexif()[ORIENTATION] == 1
    assert stored.getexif()[MAKE] == "PicShare Optics"
    assert stored.getexif().get_ifd(GPS)[1] == "N"


@pytest.mark.parametrize("kind", ["png", "webp"])
async def test_another_format_is_turned_and_stays_what_it_is(site: Site, kind: str) -> None:
    """A PNG and a WebP are drawn at full size and written in their own format."""
    visitor = await site.signed_in(viewport=PHONE)
    await visitor.choose(file(encoded(halves(), kind.upper()), kind))
    dialog = await edit(visitor)
    await dialog.get_by_role("button", name="Rotate left").click()
    await dialog.get_by_role("button", name="Apply").click()
    stored = await original(visitor)
    assert (stored.format, stored.size) == (kind.upper(), (40, 60))
    assert colours(stored) == ["blue", "blue", "red", "red"]


async def test_changes_are_undone(site: Site) -> None:
    """Each step can be taken back; after "Apply", the picture as it was chosen is still there, also after a reload."""
    visitor = await site.signed_in()
    await visitor.choose(file(encoded(halves())))
    dialog = await edit(visitor)
    size = dialog.get_by_role("status")
    await dialog.get_by_role("button", name="Square").click()
    await expect(size).to_have_text("40 × 40 pixels")
    await dialog.get_by_role("button", name="Selection").focus()
    await visitor.page.keyboard.press("Shift+ArrowLeft")
    await dialog.get_by_role("button", name="Rotate right").click()
    await dialog.get_by_role("button", name="Undo").click()
    await dialog.get_by_role("button", name="Undo").click()
    await dialog.get_by_role("button", name="Undo").click()
    await expect(size).to_have_text("60 × 40 pixels")
    await expect(dialog.get_by_role("button", name="Undo")).to_have_attribute("aria-disabled", "true")
    await dialog.get_by_role("button", name="Square").click()
    await dialog.get_by_role("button", name="Apply").click()
    await expect(visitor.page.locator(".preview img")).to_have_js_property("naturalWidth", 40, timeout=WITHIN)
    await visitor.page.reload()
    await expect(visitor.page.locator(".preview img")).to_have_js_property("naturalWidth", 40, timeout=WITHIN)
    dialog = await edit(visitor)
    await expect(dialog.get_by_role("status")).to_have_text("40 × 40 pixels")
    await dialog.get_by_role("button", name="Original").click()
    await dialog.get_by_role("button", name="Apply").click()
    await expect(visitor.page.locator(".preview img")).to_have_js_property("naturalWidth", 60, timeout=WITHIN)
    dialog = await edit(visitor)
    await dialog.get_by_role("button", name="Square").click()
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(visitor.page.locator(".preview img")).to_have_js_property("naturalWidth", 60)


async def test_the_frame_is_dragged(site: Site) -> None:
    """A corner follows the pointer and stays within the picture; a drag is one step."""
    visitor = await site.signed_in()
    await visitor.choose(photograph("rocket"))
    dialog = await edit(visitor)
    box = await dialog.locator("canvas").bounding_box()
    assert box is not None
    mouse = visitor.page.mouse
    await mouse.move(box["x"], box["y"])
    await mouse.down()
    await mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2, steps=4)
    await mouse.move(box["x"] + box["width"] / 2, box["y"] - 300, steps=4)
    await mouse.up()
    await expect(dialog.get_by_role("status")).to_have_text("320 × 427 pixels")
    await dialog.get_by_role("button", name="Undo").click()
    await expect(dialog.get_by_role("status")).to_have_text("640 × 427 pixels")


async def test_what_cannot_be_changed_offers_nothing(site: Site) -> None:
    """Animations have no such button; of a damaged file the page says that it cannot be changed."""
    visitor = await site.signed_in()
    frames = [halves(20, 20), halves(20, 20).rotate(90)]
    moving = encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    await visitor.choose(file(moving, "png"))
    await visitor.sees(visitor.page.get_by_label("Caption"))
    await expect(visitor.page.get_by_role("button", name="Crop and rotate")).to_be_hidden()
    await visitor.page.get_by_label("Add photos").set_input_files(file(encoded(halves())[:300]))  # type: ignore[arg-type]
    await visitor.page.get_by_role("button", name="Crop and rotate").click()
    await visitor.sees_text(
        visitor.page.get_by_role("alert").first, "This picture cannot be changed here. It can be shared as it is."
    )
