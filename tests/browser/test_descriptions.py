"""The description of a photo in its file: prefilled where the photo is chosen, and left out by who does not want it."""

from __future__ import annotations

import base64

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from tests.browser.visitor import PHONE, WITHIN, Site
from tests.support.pictures import encoded, halves
from tests.support.texts_in_files import file_with_xmp, jpeg_with_resources, photoshop_resources, xmp_packet

DESCRIPTION_OF = """async (data) => {
    const { descriptionOf } = await import("/static/js/post/file_description.js");
    return descriptionOf(new File([Uint8Array.from(atob(data), (byte) => byte.charCodeAt())], "a"));
}"""


def _exif(text: str | bytes) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = text
    return exif.tobytes()


FILES = {
    "EXIF": (encoded(halves(), exif=_exif("A heron at a pond")), "A heron at a pond"),
    "short EXIF": (encoded(halves(), exif=_exif("Owl")), "Owl"),
    "EXIF in UTF-8": (encoded(halves(), exif=_exif("Ein Kätzchen".encode())), "Ein Kätzchen"),
    "IPTC": (jpeg_with_resources(photoshop_resources({120: "Wölfe".encode()})), "Wölfe"),
    "IPTC in Latin-1": (jpeg_with_resources(photoshop_resources({120: "Wölfe".encode("latin-1")})), "Wölfe"),
    "XMP": (file_with_xmp("JPEG", xmp_packet(description="Cats & dogs <here>")), "Cats & dogs <here>"),
    "XMP with both": (file_with_xmp("WEBP", xmp_packet(description="A story", alt_text="Two cats")), "Two cats"),
    "XMP of a PNG": (file_with_xmp("PNG", xmp_packet(description="A line\r\nand\tanother")), "A line\nand another"),
    "XMP before EXIF": (
        file_with_xmp("JPEG", xmp_packet(description="The first"), exif=_exif("The second")),
        "The first",
    ),
    "too long": (encoded(halves(), exif=_exif("a" * 5000)), "a" * 1000),
    "without": (encoded(halves()), ""),
    "a damaged one": (encoded(halves(), exif=_exif("A heron"))[:40], ""),
    "no picture": (b"<rdf:RDF>", ""),
    "empty": (b"", ""),
}


@pytest.mark.parametrize("kind", FILES)
async def test_the_description_in_a_file(module_page: Page, kind: str) -> None:
    """It comes from the first of XMP, IPTC and EXIF; a file that is damaged has none."""
    data, expected = FILES[kind]
    assert await module_page.evaluate(DESCRIPTION_OF, base64.b64encode(data).decode()) == expected


async def test_a_description_is_prefilled(site: Site) -> None:
    """The form says that it is from the file, until it is changed; what was typed before stays."""
    visitor = await site.signed_in(viewport=PHONE)
    page = visitor.page
    files = [{"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": FILES[name][0]} for name in ("EXIF", "IPTC")]
    await visitor.visit("New photo")
    await page.get_by_label("Choose a photo").set_input_files(files)  # type: ignore[arg-type]
    second = page.get_by_label("Description of picture 2 of 2")
    await expect(second).to_have_value("Wölfe", timeout=WITHIN)
    note = page.get_by_text("This description is from the file.")
    await visitor.sees(note)
    await visitor.sees(page.get_by_text("You can leave it out."))
    await second.fill("")
    await expect(note).to_be_hidden()
    await page.get_by_role("button", name="Picture 1 of 2").click()
    await expect(page.get_by_label("Description of picture 1 of 2")).to_have_value("A heron at a pond")
    await visitor.sees(note)
    await page.get_by_role("button", name="Share", exact=True).click()
    card = page.locator("article.card")
    await visitor.sees(card)

    async def descriptions() -> list[str]:
        photos = (await visitor.account.call("GET", f"/users/{visitor.account.name}/photos")).expect(200)["items"]
        return [item["alt_text"] for photo in photos for item in photo["items"]]

    await expect(card.locator("img[alt='A heron at a pond']").first).to_be_attached(timeout=WITHIN)
    assert await descriptions() == ["A heron at a pond", ""]
