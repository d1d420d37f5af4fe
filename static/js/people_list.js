/** Lists of people: the followers of someone, those someone follows, and what a search found. */

import { blank, fill, h } from "./dom.js";
import { personRow } from "./person.js";

/** Make the page at "/u/:username/followers". */
export function followersPage(app, { username }) {
  return connections(app, username, "followers", "Followers", "Nobody follows yet", `When somebody follows @${username}, they stand here.`);
}

/** Make the page at "/u/:username/following". */
export function followingPage(app, { username }) {
  return connections(app, username, "following", "Following", "Nobody yet", `When @${username} follows somebody, they stand here.`);
}

function connections(app, username, kind, heading, emptyHeading, emptyText) {
  const list = h("ul.people.panel", { hidden: true });
  const tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": "Loading" }));
  const load = async (cursor) => {
    try {
      const person = await app.api.get(`/users/${encodeURIComponent(username)}`);
      const { items, next } = await app.api.get(`/users/${person.id}/${kind}`, { cursor, limit: 50 });
      list.append(...items.map((item) => h("li", {}, personRow(item))));
      list.hidden = list.childElementCount === 0;
      const more = h("button.button.plain", { type: "button", onclick: () => load(next) }, "Show more");
      fill(tail, next && h("div.blank", {}, more), list.hidden && blank("people", emptyHeading, emptyText));
    } catch (error) {
      fill(tail, blank("cloud", "The list did not arrive", error.message));
    }
  };
  load(null);
  const element = h("div", {}, h("div.page-head", {}, h("h1", {}, heading)), list, tail);
  return { title: `${heading} · ${username}`, element };
}

/** Milliseconds without a keystroke before a search is sent. */
const PAUSE = 220;

/** Return `{element, results}`: a box that finds people by the beginning of their user name, as one types. */
export function peopleSearch(app, { onActive }) {
  const results = h("div", { role: "region", "aria-live": "polite", "aria-label": "People found" });
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
    const turn = ++latest;
    onActive(query !== "");
    if (query === "") {
      fill(results);
      return;
    }
    try {
      const { items } = await app.api.get("/users", { query, limit: 20 });
      if (turn !== latest) return; // an answer to what was typed before
      fill(
        results,
        items.length > 0
          ? h("ul.people.panel", {}, items.map((person) => h("li", {}, personRow(person))))
          : blank("people", "Nobody found", `No user name begins with “${query}”.`),
      );
    } catch (error) {
      if (turn === latest) fill(results, blank("cloud", "The search did not work", error.message));
    }
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, PAUSE);
  });
  return { input, results };
}
