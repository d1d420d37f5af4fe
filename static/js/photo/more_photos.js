/** Below a photo: more photos of its author, and more with its first tag. */

import { photoCell } from "./card.js";
import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { displayName, profilePath } from "../users/user.js";

const SHOWN = 6;

/** Return `{element, leave}`; a part without other photos is left out. */
export function morePhotos(app, photo) {
  const element = h("div.more-photos");
  const cells = [];
  let left = false;

  const part = async (heading, href, request) => {
    const { items } = await request;
    const others = items.filter(({ id }) => id !== photo.id).slice(0, SHOWN);
    if (left || others.length === 0) return null;
    const drawn = others.map((other) => ({ ...photoCell(app, other), author: other.author.id }));
    cells.push(...drawn);
    const title = h("h2.section-head", {}, heading, h("a", { href, "aria-label": t("{heading}: show all", { heading }) }, t("Show all")));
    return h("section", { "aria-label": heading }, title, h("div.grid", {}, drawn.map((cell) => cell.element)));
  };
  const load = async () => {
    const { author, tags } = photo;
    const limit = SHOWN + 1;
    const parts = [part(t("More from {name}", { name: displayName(author) }), profilePath(author), app.api.get(`/users/${author.id}/photos`, { limit }))];
    if (tags?.length > 0) {
      parts.push(part(t("More with {tag}", { tag: `#${tags[0]}` }), `/tag/${encodeURIComponent(tags[0])}`, app.api.get("/photos", { tag: tags[0], limit })));
    }
    // It is no part of the photo: where it cannot be loaded, the page goes without.
    const loaded = await Promise.allSettled(parts);
    if (!left) fill(element, loaded.map(({ value }) => value ?? null));
  };
  load();
  const stop = app.accounts.watch((userId) => {
    for (const cell of cells) if (cell.author === userId) cell.element.remove();
  });
  const leave = () => {
    left = true;
    stop();
    for (const cell of cells) cell.leave();
  };
  return { element, leave };
}
