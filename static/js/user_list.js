/** Lists of users: the followers of a user, the users that a user follows, and the results of a search. */

import { emptyState, fill, h } from "./dom.js";
import { userRow } from "./user.js";

/** Create the page at "/u/:username/followers". */
export function followersPage(app, { username }) {
  return connections(app, username, "followers", "Followers", "No followers yet", `People who follow @${username} appear here.`);
}

/** Create the page at "/u/:username/following". */
export function followingPage(app, { username }) {
  return connections(app, username, "following", "Following", "Not following anyone yet", `People followed by @${username} appear here.`);
}

function connections(app, username, kind, heading, emptyHeading, emptyText) {
  const list = h("ul.user-list.panel", { hidden: true });
  const tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading" }));
  const load = async (cursor) => {
    try {
      const user = await app.api.get(`/users/${encodeURIComponent(username)}`);
      const { items, next } = await app.api.get(`/users/${user.id}/${kind}`, { cursor, limit: 50 });
      list.append(...items.map((item) => h("li", {}, userRow(item))));
      list.hidden = list.childElementCount === 0;
      const more = h("button.button.plain", { type: "button", onclick: () => load(next) }, "Show more");
      fill(tail, next && h("div.empty-state", {}, more), list.hidden && emptyState("people", emptyHeading, emptyText));
    } catch (error) {
      fill(tail, emptyState("cloud", "Could not load the list", error.message));
    }
  };
  load(null);
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, heading)), list, tail);
  return { title: `${heading} · ${username}`, element };
}

/** A search is sent after this time without a keystroke, in milliseconds. */
const TYPING_PAUSE_MS = 220;

/** Return `{input, results}`: a search for users by the beginning of their user name, as the user types. */
export function userSearch(app, { onActive }) {
  const results = h("div", { role: "region", "aria-live": "polite", "aria-label": "Search results" });
  const input = h("input", {
    type: "search",
    placeholder: "Find people",
    "aria-label": "Find people by user name",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
  });
  let timer = null;
  let latest = 0;
  const search = async () => {
    const query = input.value.trim().replace(/^@/, "");
    const number = ++latest;
    onActive(query !== "");
    if (query === "") {
      fill(results);
      return;
    }
    try {
      const { items } = await app.api.get("/users", { query, limit: 20 });
      if (number !== latest) return; // The user has typed more since.
      fill(
        results,
        items.length > 0
          ? h("ul.user-list.panel", {}, items.map((user) => h("li", {}, userRow(user))))
          : emptyState("people", "No results", `No user name starts with “${query}”.`),
      );
    } catch (error) {
      if (number === latest) fill(results, emptyState("cloud", "Could not search", error.message));
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_PAUSE_MS);
  });
  return { input, results };
}
