"""Uploads that the server refuses: nothing that the user chose or wrote is lost."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Locator, Route, expect

from tests.browser.visitor import WITHIN, Site, Visitor
from tests.support.pictures import photograph

UPLOAD = re.compile(r"/api/v1/photos$")
TEXTS = {"Caption": "before the crowds", "Description": "a temple", "Tags": "#Stone, हिन्दी", "Place": "Kyoto"}
TOWER = "a" + "\u0301" * 9  # more combining marks than are allowed


async def refuse_once(visitor: Visitor, status: int, code: str) -> None:
    """Answer the next upload with a problem; those after it reach the service."""
    refused: list[str] = []

    async def answer(route: Route) -> None:
        if refused or route.request.method != "POST":
            await route.continue_()
            return
        refused.append(code)
        problem = {"status": status, "code": code, "detail": f"refused with {code}"}
        await route.fulfill(status=status, json=problem, content_type="application/problem+json")

    visitor.expect_error(f"status of {status}")
    await visitor.page.route(UPLOAD, answer)


async def share(visitor: Visitor, file: Path, texts: dict[str, str]) -> None:
    """Share a photo with all its texts."""
    await visitor.choose(file)
    for label, text in texts.items():
        await visitor.page.get_by_label(label, exact=True).fill(text)
    await visitor.page.get_by_role("button", name="Share", exact=True).click()


def failed(visitor: Visitor) -> Locator:
    """Return the refused upload in the tray."""
    return visitor.page.locator(".tray-item.failed")


async def published(visitor: Visitor, *, caption: str = TEXTS["Caption"]) -> None:
    """Wait until the photo is in the feed, and check its texts and that it is there once."""
    await visitor.sees(visitor.card(caption))
    (photo,) = await visitor.account.feed()
    assert (photo["caption"], photo["alt_text"], photo["location"]) == (caption, "a temple", "Kyoto")
    assert photo["tags"] == ["stone", "हिन्दी"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(408, "body_timeout"), (400, "body_incomplete"), (429, "too_many_requests"), (503, "unavailable")],
)
async def test_an_upload_is_sent_again_where_that_can_help(site: Site, status: int, code: str) -> None:
    """After a refusal that has nothing to do with the photo, "Try again" sends it with all its texts."""
    visitor = await site.signed_in()
    await refuse_once(visitor, status, code)
    await share(visitor, photograph("temple"), TEXTS)
    await expect(failed(visitor).locator(".state")).to_have_text(f"Refused with {code}.", timeout=WITHIN)
    await expect(failed(visitor).get_by_role("button", name="Edit")).to_have_count(0)
    await failed(visitor).get_by_role("button", name="Try again").click()
    await published(visitor)


@pytest.mark.parametrize(
    ("status", "code"), [(413, "photo_too_large"), (415, "unsupported_media_type"), (422, "image_corrupt")]
)
async def test_a_refused_upload_is_edited(site: Site, status: int, code: str) -> None:
    """After a refusal of the photo, "Edit" leads back to the filled form, and another photo takes its place there."""
    visitor = await site.signed_in()
    await refuse_once(visitor, status, code)
    await share(visitor, photograph("rocket"), TEXTS)
    await expect(failed(visitor).get_by_role("button", name="Try again")).to_have_count(0)
    await failed(visitor).get_by_role("button", name="Edit").click()
    await visitor.sees_text(visitor.page.locator("form [role=alert]"), f"Refused with {code}.")
    await visitor.sees(visitor.page.get_by_alt_text("The photo you chose"))
    await visitor.page.get_by_role("button", name="Choose another photo").click()
    await visitor.page.get_by_label("Choose a photo").set_input_files(photograph("temple"))
    for label, text in TEXTS.items():
        expected = "stone, हिन्दी" if label == "Tags" else text
        await expect(visitor.page.get_by_label(label, exact=True)).to_have_value(expected)
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await published(visitor)
    await expect(failed(visitor)).to_have_count(0)


async def test_a_refused_text_is_edited_at_its_field(site: Site) -> None:
    """After a refusal of a text, the form shows the reason at that field, focuses it and still has the photo."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 422")
    await share(visitor, photograph("temple"), {**TEXTS, "Place": TOWER})
    await failed(visitor).get_by_role("button", name="Edit").click()
    place = visitor.page.get_by_label("Place", exact=True)
    await expect(place).to_be_focused()
    await expect(place).to_have_attribute("aria-invalid", "true")
    await visitor.sees_text(visitor.page.locator(".field.wrong .error"), re.compile("combining marks"))
    await place.fill(TEXTS["Place"])
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await published(visitor)


async def test_an_upload_that_is_being_edited_stays_in_the_tray(site: Site) -> None:
    """A user who leaves the form without sharing loses nothing: the upload is still there and can be edited again."""
    visitor = await site.signed_in()
    await refuse_once(visitor, 415, "unsupported_media_type")
    await share(visitor, photograph("temple"), TEXTS)
    await failed(visitor).get_by_role("button", name="Edit").click()
    await visitor.visit("Home")
    await failed(visitor).get_by_role("button", name="Edit").click()
    await expect(visitor.page.get_by_label("Caption")).to_have_value(TEXTS["Caption"])


async def test_a_photo_that_could_not_be_processed_is_edited(site: Site) -> None:
    """A photo that is rejected after the upload can be replaced without writing its texts again."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 4")
    data = photograph("rocket").read_bytes()
    await visitor.share({"name": "cut.jpg", "mimeType": "image/jpeg", "buffer": data[: len(data) // 3]}, caption="cut")
    await failed(visitor).get_by_role("button", name="Edit").click(timeout=WITHIN)
    await expect(visitor.page.get_by_label("Caption")).to_have_value("cut")


@pytest.mark.parametrize("name", ["holiday", "holiday.txt"])
async def test_the_content_of_a_file_counts_not_its_name(site: Site, tmp_path: Path, name: str) -> None:
    """A photo without an extension, or with a wrong one, is accepted as by the API; another file is refused."""
    visitor = await site.signed_in()
    shutil.copy(photograph("temple"), tmp_path / name)
    await visitor.share(tmp_path / name, caption="no extension")
    await visitor.sees(visitor.card("no extension"))
    (tmp_path / "notes").write_text("these are only words")
    await visitor.choose(tmp_path / "notes")
    await visitor.sees_text(
        visitor.page.get_by_role("alert"), "Choose a photo, JPEG, PNG, WebP, AVIF or GIF, or an MP4 video."
    )


async def test_a_file_without_a_preview_has_an_icon(site: Site) -> None:
    """A damaged image shows an icon in the tray instead of the browser's own for a broken one."""
    visitor = await site.signed_in()
    visitor.expect_error("status of 422")
    damaged = {"name": "damaged.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff" + b"x" * 3000}
    await visitor.share(damaged, caption="damaged")
    await visitor.sees(failed(visitor).locator(".tray-picture svg"))
    await visitor.loses(failed(visitor).locator("img"))
