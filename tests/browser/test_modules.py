"""Single modules of the web application, called in the browser."""

from __future__ import annotations

import asyncio
import base64
import colorsys
import itertools
import re
from pathlib import Path

import pytest
import thumbhash
from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat
from playwright.async_api import Page

from tests.browser.modules import call
from tests.support.pictures import photograph

_DECODE = "(({ width, height, rgba }) => ({ width, height, rgba: [...rgba] }))(m.decode(Uint8Array.from(a)))"
STATIC = Path(__file__).parents[2] / "static"
SCRIPTS = [STATIC / "live.js", *STATIC.glob("live/*.js"), *STATIC.glob("js/**/*.js")]


@pytest.mark.parametrize("name", ["temple", "astronaut", "cat", "rocket"])
async def test_thumbhashes_look_like_their_photos(module_page: Page, name: str) -> None:
    """A decoded thumbhash has the shape of its photo and is closer to its blurred pixels than to mirrored ones."""
    image = Image.open(photograph(name)).convert("RGBA")
    image.thumbnail((100, 100))
    digest = thumbhash.rgba_to_thumb_hash(image.width, image.height, list(image.tobytes()))
    found = await call(module_page, "js/elements/thumbhash", _DECODE, list(digest))
    assert found["width"] / found["height"] == pytest.approx(image.width / image.height, rel=0.15)
    size = (found["width"], found["height"])
    blurred = image.filter(ImageFilter.GaussianBlur(8)).resize(size)
    drawn = Image.frombytes("RGBA", size, bytes(found["rgba"]))
    assert _difference(drawn, blurred) < 20
    assert _difference(drawn, ImageOps.mirror(blurred)) > 1.3 * _difference(drawn, blurred)


def _difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures' colours (0–255)."""
    difference = ImageChops.difference(one.convert("RGB"), other.convert("RGB"))
    return sum(ImageStat.Stat(difference).mean) / 3


async def test_a_damaged_placeholder_is_ignored(module_page: Page) -> None:
    """An invalid thumbhash gives null and no exception."""
    assert (
        await call(module_page, "js/elements/thumbhash", "a.map((text) => m.thumbhashCanvas(text))", [None, "", "%%%"])
        == [None] * 3
    )
    assert await call(
        module_page, "js/elements/thumbhash", "m.thumbhashCanvas(a) !== null", base64.b64encode(bytes(25)).decode()
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (44, "now"),
        (60, "1 min"),
        (59 * 60, "59 min"),
        (3 * 3600, "3 h"),
        (6 * 86400, "6 d"),
        (20 * 86400, "31 Oct"),
        (400 * 86400, "16 Oct 2025"),
    ],
)
async def test_times_have_a_short_form(module_page: Page, seconds: int, text: str) -> None:
    """A time is shown as minutes, hours, days, and then as its date."""
    expression = 'm.relativeTime(Date.UTC(2026, 10, 20, 12) - a * 1000, Date.UTC(2026, 10, 20, 12), "en-GB")'
    assert await call(module_page, "js/elements/time", expression, seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (300, "5 min ago"),
        (3 * 3600, "3 h ago"),
        (6 * 86400, "6 d ago"),
        (7 * 86400, "on 13 Nov"),
        (400 * 86400, "on 16 Oct 2025"),
    ],
)
async def test_times_have_a_form_for_sentences(module_page: Page, seconds: int, text: str) -> None:
    """At the end of a sentence, the text of a time can be read aloud."""
    expression = 'm.relativeTimePhrase(Date.UTC(2026, 10, 20, 12) - a * 1000, Date.UTC(2026, 10, 20, 12), "en-GB")'
    assert await call(module_page, "js/elements/time", expression, seconds) == text


async def test_dates_stay_dates(module_page: Page) -> None:
    """As time passes, relative times are updated, and the date on which a photo was taken is not replaced by one."""
    expression = """(() => {
        const root = document.createElement("div");
        root.append(m.timeElement(a), m.dateElement(a));
        const { setInterval } = globalThis;
        let update;
        globalThis.setInterval = (work) => { update = work; };
        m.keepTimesUpdated(root);
        globalThis.setInterval = setInterval;
        root.firstChild.textContent = "old";
        update();
        return [...root.children].map((element) => element.textContent);
    })()"""
    shown = await call(module_page, "js/elements/time", expression, "2024-11-20T12:00:00Z")
    assert shown == ["20 Nov 2024", "20 November 2024"]


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("", []),
        ("#Sea, night  sky", ["sea", "night", "sky"]),
        ("##a,a,,A", ["a"]),
        ("# ,", []),
        ("＃海、#空，山", ["海", "空", "山"]),
        ("مُحَمَّد، می‌خواهم", ["مُحَمَّد", "می‌خواهم"]),
        ("हिन्दी भारत", ["हिन्दी", "भारत"]),
    ],
)
async def test_tags_are_parsed(module_page: Page, typed: str, tags: list[str]) -> None:
    """Tags are separated by spaces or the commas of any script, without # and in lower case, each once."""
    assert await call(module_page, "js/post/upload", "m.parseTags(a)", typed) == tags


@pytest.mark.parametrize(
    ("pattern", "path", "params"),
    [
        ("/", "/", {}),
        ("/u/:name", "/u/ada", {"name": "ada"}),
        ("/u/:name", "/u/ada/", {"name": "ada"}),
        ("/tag/:tag", "/tag/%C3%A9t%C3%A9", {"tag": "été"}),
        ("/tag/:tag", "/tag/%E0%A4%A", None),
        ("/u/:name", "/u/", None),
        ("/u/:name", "/p/ada", None),
        ("/u/:name", "/u/ada/followers", None),
    ],
)
async def test_paths_match_patterns(module_page: Page, pattern: str, path: str, params: object) -> None:
    """A pattern matches paths of its shape, decodes their parameters, and does not match malformed ones."""
    assert (
        await call(module_page, "js/elements/router", "m.match(a.pattern, a.path)", {"pattern": pattern, "path": path})
        == params
    )


@pytest.mark.parametrize("locks", ["navigator.locks", "null"])
async def test_one_tab_at_a_time(module_page: Page, locks: str) -> None:
    """Tasks that two tabs start at the same time do not overlap, with the browser's locks and without."""
    script = f"""async () => {{
        const {{ withTabLock }} = await import("/static/js/service/tab_lock.js");
        const task = async () => {{
            const begin = Date.now();
            await new Promise((resolve) => setTimeout(resolve, 30));
            return [begin, Date.now()];
        }};
        return Promise.all([1, 2].map(() => withTabLock("test", task, {{ locks: {locks} }})));
    }}"""
    other = await module_page.context.new_page()
    await other.goto(module_page.url)
    one, two = await asyncio.gather(module_page.evaluate(script), other.evaluate(script))
    await other.close()
    times = sorted([*one, *two])
    assert len(times) == 4
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(times)), times


async def test_old_counters_do_not_replace_new_ones(module_page: Page) -> None:
    """If publications arrive out of order, the counters of the newest version remain."""
    expression = """(() => {
        const photos = new m.Photos(), seen = [];
        photos.watch("1", (fields) => seen.push(fields.likes));
        for (const [likes, version] of a) photos.patch("1", { likes, version });
        return seen;
    })()"""
    assert await call(module_page, "js/photo/photos", expression, [[1, 5], [9, 4], [9, 5], [2, 6]]) == [1, 2]


async def test_a_response_requested_ahead_is_used_once(module_page: Page) -> None:
    """By the next request with the same path and query, unless that comes much later."""
    expression = """(async () => {
        const { fetch: real } = window, { now } = performance, sent = [];
        let later = 0;
        performance.now = () => now.call(performance) + later;
        window.fetch = async (url) => {
            sent.push(url.pathname + url.search);
            return new Response(JSON.stringify(sent.length));
        };
        try {
            const api = new m.Api();
            api.getAhead("/feed", { limit: 10 });
            const got = [await api.get("/feed", { cursor: null, limit: 10 }), await api.get("/feed", { limit: 10 })];
            api.getAhead("/feed", { limit: 10 });
            later = 60_000;
            got.push(await api.get("/feed", { limit: 10 }));
            return [got, sent.length, sent[0]];
        } finally {
            window.fetch = real;
            delete performance.now;
        }
    })()"""
    assert await call(module_page, "js/service/api", expression) == [[1, 2, 4], 4, "/api/v1/feed?limit=10"]


def test_nothing_parses_strings_as_markup() -> None:
    """No script writes markup or evaluates text, and the pages have no inline scripts or styles."""
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser")
    for path in (*SCRIPTS, STATIC / "sw.js"):
        assert not forbidden.search(path.read_text()), path.name
    page = STATIC / "index.html"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page.read_text())


def test_initials_are_readable_on_every_colour() -> None:
    """White initials have a contrast of 4.5 on avatars of every hue, in light and dark (WCAG 2.2, 1.4.3)."""
    tokens = (STATIC / "css" / "tokens.css").read_text()
    # The same in light and dark.
    (lightness,), (saturation,) = (
        [int(value) / 100 for value in re.findall(rf"--avatar-{name}: (\d+)%", tokens)]
        for name in ("lightness", "saturation")
    )
    assert min(_contrast_of_white(hue, lightness, saturation) for hue in range(360)) >= 4.5


def _contrast_of_white(hue: int, lightness: float, saturation: float) -> float:
    """Return the contrast between white and a colour (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio)."""
    channels = colorsys.hls_to_rgb(hue / 360, lightness, saturation)
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 1.05 / (sum(part * value for part, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)) + 0.05)
