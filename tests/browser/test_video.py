"""Videos in the page: chosen with a preview, sent, and played when the user starts them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.visitor import WITHIN, Site, Visitor, published
from tests.support.eventually import eventually
from tests.support.pictures import photograph
from tests.support.videos import video


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of three seconds."""
    path = tmp_path_factory.mktemp("videos") / "film.mp4"
    path.write_bytes(video(size=(320, 240), seconds=3))
    return path


def player(visitor: Visitor) -> Locator:
    """Return the player."""
    return visitor.page.locator(".frame:not(.cover) video.player")


async def test_a_video_is_chosen_sent_and_played(site: Site, film: Path) -> None:
    """From the file to the feed: with a preview before, a poster after, and no byte of it before it is started."""
    visitor = await site.signed_in(await site.create_account())
    requests: list[str] = []
    visitor.page.on("request", lambda request: requests.append(request.url))
    await visitor.choose(film)
    preview = visitor.page.locator(".preview video")
    await expect(preview).to_have_js_property("videoWidth", 320, timeout=WITHIN)
    await expect(visitor.page.get_by_role("button", name="Add photos")).to_be_hidden()
    await visitor.page.get_by_label("Caption").fill("A walk")
    await visitor.page.get_by_role("button", name="Share", exact=True).click()
    await visitor.sees(visitor.card("A walk"))
    await expect(visitor.page.locator(".frame:not(.cover)")).to_have_class(re.compile("loaded"), timeout=WITHIN)
    await expect(player(visitor)).to_have_attribute("poster", re.compile(r"/320\.(webp|jpg)$"), timeout=WITHIN)
    await expect(player(visitor)).to_have_attribute("aria-label", "Video: A walk")
    assert not [url for url in requests if "video.mp4" in url]
    assert await player(visitor).evaluate("(video) => video.paused")
    # A tap on the player neither likes the photo nor opens its page.
    await player(visitor).dblclick()
    await expect(visitor.page.locator("button.like")).to_have_attribute("aria-pressed", "false")
    assert visitor.page.url == f"{visitor.url}/"
    await player(visitor).evaluate("(video) => { video.muted = true; return video.play(); }")

    async def has_moved() -> bool:
        return bool(await player(visitor).evaluate("(video) => video.currentTime > 0.2"))

    await eventually(has_moved, within=WITHIN / 1000)
    assert await player(visitor).evaluate("(video) => [video.videoWidth, video.videoHeight]") == [320, 240]
    assert await player(visitor).evaluate("(video) => video.duration") == pytest.approx(3, abs=0.1)
    # Its header is first, and ranges are served, so any part can be played at once.
    assert await player(visitor).evaluate(
        "(video) => new Promise((done) => { video.onseeked = () => done(video.currentTime); video.currentTime = 2; })"
    ) == pytest.approx(2, abs=0.1)


async def test_a_video_plays_on_its_own_page_and_is_marked_in_a_grid(site: Site, film: Path) -> None:
    """Its page has the player; the profile has the poster with a sign, and the player at full size."""
    account = await site.create_account()
    photo_id = (await account.upload(film))["id"]
    await published(account, photo_id)
    visitor = await site.signed_in(account, at=None)
    await visitor.open(f"/p/{photo_id}")
    await visitor.sees(player(visitor))
    await visitor.open(f"/u/{account.name}")
    cell = visitor.page.locator("a.cell")
    await expect(cell).to_have_attribute("aria-label", re.compile("^Video by "), timeout=WITHIN)
    await expect(cell.locator("span.several")).to_have_count(1)
    await visitor.loses(player(visitor))
    await cell.focus()
    await visitor.page.keyboard.press("z")
    await player(visitor).evaluate("(video) => { video.muted = true; return video.play(); }")


async def test_a_video_is_a_post_of_its_own(site: Site, film: Path) -> None:
    """Neither a second file beside a video, nor a video beside a photo, is taken; the reason is shown."""
    visitor = await site.signed_in(await site.create_account())
    await visitor.visit("New photo")
    both = [str(film), str(photograph())]
    await visitor.page.get_by_label("Choose a photo").set_input_files(both)
    await visitor.sees_text(visitor.page.locator("p.form-error").first, re.compile("A video is a post of its own"))
    await expect(visitor.page.locator(".preview video")).to_have_count(1)


async def test_a_video_that_is_too_large_is_refused_at_once(site: Site) -> None:
    """Before anything is sent."""
    visitor = await site.signed_in(await site.create_account())
    await visitor.visit("New photo")
    found = await visitor.page.evaluate(
        """async () => {
            const { fileError } = await import("/static/js/post/upload.js");
            const file = { size: 100_000_001, type: "video/mp4" };
            return [await fileError(file), await fileError({ ...file, size: 100_000_000 })];
        }"""
    )
    assert found == ["This video has 100.0 MB. The maximum is 100 MB.", None]
