/** Collections as cells that link to them, and those of a user on the profile. */

import { fill, h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { squareFrame } from "../photo/photo_image.js";

/** The collections that a profile shows at first, and adds each time. */
const PAGE = 12;

/** Return a list of collections; their owner sees who else sees each. */
export function collectionCells(collections, { own }) {
  return h("ul.collections", {}, collections.map((collection) => collectionCell(collection, own)));
}

/** Return the collections of a user that the viewer may see as an element, null where there are none. */
export async function userCollections(app, user) {
  const load = (cursor) => app.api.get(`/users/${user.id}/collections`, { cursor, limit: PAGE });
  let page;
  try {
    page = await load();
  } catch {
    // They are only a part of the profile: where they cannot be loaded, it goes without.
    return null;
  }
  if (page.items.length === 0) return null;
  const own = user.id === app.session.id;
  const list = collectionCells(page.items, { own });
  list.classList.add("row");
  const foot = h("div.collections-more");
  const showMore = async (button, cursor) => {
    button.disabled = true;
    try {
      const { items, next } = await load(cursor);
      const added = items.map((collection) => collectionCell(collection, own));
      list.append(...added);
      drawFoot(next);
      added[0]?.querySelector("a").focus();
    } catch (error) {
      button.disabled = false;
      app.toasts.error(error);
    }
  };
  const drawFoot = (cursor) => {
    const button = h("button.button.plain.compact", { type: "button", onclick: () => showMore(button, cursor) }, t("More collections"));
    fill(foot, cursor && button);
  };
  drawFoot(page.next);
  return h("section.user-collections", { "aria-label": t("Collections") }, h("h2.section-head", {}, t("Collections")), list, foot);
}

function collectionCell({ id, title, cover, public: isPublic }, own) {
  const frame = cover ? squareFrame(cover, 240) : h("span.frame", {}, icon("image"));
  return h(
    "li",
    {},
    h(
      "a",
      { href: `/c/${id}` },
      h("span.cover", { "aria-hidden": "true" }, frame),
      h("span.name", {}, title),
      own && h("span.secondary.small.audience", {}, icon(isPublic ? "people" : "lock"), isPublic ? t("Public") : t("Only you")),
    ),
  );
}
