/** Tags that the user follows: the button on the page of a tag, and the page with photos of all of them. */

import { photoCell } from "../photo/card.js";
import { emptyState, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { feedSources } from "../photo/feed_sources.js";
import { PhotoList } from "../photo/photo_list.js";

/** Return a button that follows or unfollows a tag; it is hidden until the server has said which. */
export function followTagButton(app, tag) {
  const button = h("button.button", { type: "button", hidden: true });
  let followed = false;
  const show = () => {
    button.hidden = false;
    fill(button, followed ? t("Following") : t("Follow"));
    button.classList.toggle("plain", followed);
    button.setAttribute("aria-pressed", String(followed));
  };
  const load = async () => {
    try {
      const { items } = await app.api.get("/tags/followed");
      followed = items.some((item) => item.tag === tag);
      show();
    } catch (error) {
      app.toasts.error(error);
    }
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    const path = `/tags/${encodeURIComponent(tag)}/follow`;
    try {
      await (followed ? app.api.delete(path) : app.api.put(path));
      followed = !followed;
      show();
    } catch (error) {
      app.toasts.error(error);
    } finally {
      button.disabled = false;
    }
  });
  load();
  return button;
}

/** Create the page at "/discover/tags". */
export function followedTagsPage(app) {
  const list = new PhotoList(app, {
    className: "grid",
    keepsPlace: true,
    load: (cursor) => app.api.get("/feed", { source: "tags", cursor, limit: 30 }),
    draw: (photo) => photoCell(app, photo),
    empty: () => emptyState("image", t("No photos yet"), t("Follow a tag on its page, and photos with it appear here.")),
  });
  const tags = h("ul.chips");
  const load = async () => {
    try {
      const { items } = await app.api.get("/tags/followed");
      fill(tags, items.map(({ tag }) => h("li", {}, h("a.chip", { href: `/tag/${encodeURIComponent(tag)}` }, `#${tag}`))));
    } catch (error) {
      app.toasts.error(error);
    }
  };
  load();
  const sources = feedSources(app, "/discover/tags");
  const head = h("div.page-head", {}, h("h1", {}, t("Tags you follow")));
  const element = h("div.with-sources", {}, sources.element, head, tags, h("h2.section-head", {}, t("Photos")), list.element);
  const leave = () => {
    sources.leave();
    list.leave();
  };
  return { title: t("Tags you follow"), element, wide: true, leave, refresh: () => list.reload() };
}
