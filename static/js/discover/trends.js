/** What trends: tags and the first photos on the page "Discover", and a page with all trending photos. */

import { photoCell } from "../photo/card.js";
import { emptyState, fill, h } from "../elements/dom.js";
import { t, tn } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { PhotoList } from "../photo/photo_list.js";

/** So many photos fill whole rows on every screen. */
const FIRST_PHOTOS = 12;
const TAGS = 12;

/**
 * Return `{element, leave, shown}`: up to `tags` trending tags and `photos` photos; hidden while nothing trends.
 *
 * `cell` is the width of a photo in CSS pixels, and `after` a promise: nothing is shown before it is fulfilled. The promise
 * `shown` is whether photos trend.
 */
export function trends(app, { tags: tagLimit = TAGS, photos: photoLimit = FIRST_PHOTOS, cell, after } = {}) {
  const element = h("div", { hidden: true });
  const { promise: shown, resolve: show } = Promise.withResolvers();
  let section = null;
  let left = false;
  const leave = () => {
    left = true;
    section?.leave();
  };
  const load = async () => {
    try {
      const [tags, photos] = await Promise.all([
        app.api.get("/tags/trending", { limit: tagLimit }),
        photoLimit > 0 ? app.api.get("/photos/trending", { limit: photoLimit }) : { items: [], next: null },
        after,
      ]);
      if (left) return;
      const all = photos.next && { href: "/discover/trending", text: t("Show all") };
      section = photoSection(app, photos.items, { id: "trending-photos", heading: t("Trending photos"), all, cell });
      element.hidden = tags.items.length + photos.items.length === 0;
      fill(element, tagsOf(tags.items), section?.element);
      show(section !== null);
    } catch (error) {
      if (left) return;
      element.hidden = false;
      fill(element, unavailable(app, { heading: t("Could not load what trends"), error, again: load }));
    }
  };
  load();
  return { element, leave, shown };
}

/** Create the page at "/discover/trending". */
export function trendingPage(app) {
  const list = new PhotoList(app, {
    className: "grid",
    load: (cursor) => app.api.get("/photos/trending", { cursor, limit: 30 }),
    draw: (photo) => photoCell(app, photo),
    empty: () => emptyState("image", t("Nothing trends at present"), t("Photos that many people like appear here.")),
  });
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, t("Trending photos"))), list.element);
  return { title: t("Trending photos"), element, wide: true, keep: true, leave: () => list.leave(), refresh: () => list.reload() };
}

/** Return `{element, leave}`: a cell that disappears when its photo is removed. */
function cellOf(app, photo, side) {
  const cell = photoCell(app, photo, { side });
  const stop = app.photos.watch(photo.id, (_fields, removed) => removed && cell.element.remove());
  const leave = () => {
    stop();
    cell.leave();
  };
  return { element: cell.element, leave };
}

function tagsOf(tags) {
  if (tags.length === 0) return null;
  const links = tags.map(({ tag, authors }) =>
    h("li", {}, h("a.chip", { href: `/tag/${encodeURIComponent(tag)}`, title: tn("Used by {count} person in the last hours", "Used by {count} people in the last hours", authors) }, `#${tag}`)),
  );
  return h("section", { "aria-labelledby": "trending-tags" }, h("h2.section-head", { id: "trending-tags" }, t("Trending tags")), h("ul.chips", {}, links));
}

/** Return `{element, leave}`: photos below a heading with the link `all` {href, text}, if there is one; null without photos. */
export function photoSection(app, photos, { id, heading, all, cell }) {
  if (photos.length === 0) return null;
  const cells = photos.map((photo) => cellOf(app, photo, cell));
  const element = h(
    "section",
    { "aria-labelledby": id },
    h("h2.section-head", {}, h("span", { id }, heading), all && h("a", { href: all.href }, all.text)),
    h("div.grid", {}, cells.map((each) => each.element)),
  );
  const leave = () => {
    for (const each of cells) each.leave();
  };
  return { element, leave };
}
