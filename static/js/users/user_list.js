/** Lists of users: the followers of a user, and the users that a user follows. */

import { emptyState, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { userRow } from "./user.js";

/** Create the page at "/u/:username/followers". */
export function followersPage(app, { username }) {
  return connections(app, username, "followers", t("Followers"), t("No followers yet"), t("People who follow {name} appear here.", { name: `@${username}` }));
}

/** Create the page at "/u/:username/following". */
export function followingPage(app, { username }) {
  return connections(app, username, "following", t("Following"), t("Not following anyone yet"), t("People followed by {name} appear here.", { name: `@${username}` }));
}

function connections(app, username, kind, heading, emptyHeading, emptyText) {
  const list = h("ul.user-list.panel", { hidden: true });
  const tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
  const load = async (cursor) => {
    try {
      const user = await app.api.get(`/users/${encodeURIComponent(username)}`);
      const { items, next } = await app.api.get(`/users/${user.id}/${kind}`, { cursor, limit: 50 });
      list.append(...items.map((item) => h("li", {}, userRow(item))));
      list.hidden = list.childElementCount === 0;
      const more = h("button.button.plain", { type: "button", onclick: () => load(next) }, t("Show more"));
      fill(tail, next && h("div.empty-state", {}, more), list.hidden && emptyState("people", emptyHeading, emptyText));
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => load(cursor) }, t("Try again"));
      fill(tail, emptyState("cloud", t("Could not load the list"), error.message, again));
    }
  };
  load(null);
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, heading)), list, tail);
  return { title: t("{heading} · {name}", { heading, name: username }), element };
}
