/** The results of a search: users, tags and photos, with the words of the search highlighted. */

import { photoCell } from "../photo/card.js";
import { emptyState, fill, h } from "../elements/dom.js";
import { highlighted } from "../elements/highlight.js";
import { t, tn } from "../elements/texts.js";
import { userRow } from "../users/user.js";

/** Return a list of users. */
export function userResults(users, words) {
  return h("ul.user-list.panel", {}, users.map((user) => h("li", {}, userResult(user, words))));
}

/** Return a list of tags. */
export function tagResults(tags, words) {
  return h("ul.user-list.panel", {}, tags.map((tag) => h("li", {}, tagResult(tag, words))));
}

/** Return `{element, leave}`: a grid of photos. */
export function photoResults(app, photos) {
  const cells = photos.map((photo) => photoCell(app, photo));
  const leave = () => {
    for (const cell of cells) cell.leave();
  };
  return { element: h("div.grid", {}, cells.map((cell) => cell.element)), leave };
}

/** Return what is shown for a search without results. */
export function noResults(text) {
  return emptyState("search", t("Nothing found"), t("Nothing fits “{text}”. Try fewer letters, or another spelling.", { text }));
}

function userResult(user, words) {
  const row = userRow(user, user.following && h("span.follows-you", {}, t("Following")));
  for (const part of row.querySelectorAll(".name, .handle")) fill(part, h("bdi", {}, highlighted(part.textContent, words)));
  return row;
}

function tagResult({ tag, photos }, words) {
  return h(
    "div.user-row",
    {},
    h("span.tag-sign", { "aria-hidden": "true" }, "#"),
    h(
      "div.user-names",
      {},
      h("a.name", { href: `/tag/${encodeURIComponent(tag)}` }, highlighted(tag, words)),
      h("span.handle.secondary.small", {}, tn("{count} photo", "{count} photos", photos)),
    ),
  );
}
