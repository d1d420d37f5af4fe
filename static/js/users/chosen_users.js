/** A list of users that the user chooses: with a search to add some, and a button at each to remove it. */

import { emptyState, fill, h, icon } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { userRow } from "./user.js";

/** A search is sent after this time without a keystroke, in milliseconds. */
const TYPING_PAUSE_MS = 220;

export class ChosenUsers {
  #app;
  #load;
  #change;
  #empty;
  #chosen = new Map();
  #next = null;
  #list = h("ul.user-list.panel", { hidden: true });
  #tail = h("div", {}, h("div.spinner", { role: "status", "aria-label": t("Loading") }));
  #results = h("div", { role: "region", "aria-live": "polite", "aria-label": t("Search results") });
  #input = h("input", {
    type: "search",
    placeholder: t("Find people to add"),
    "aria-label": t("Find people by user name"),
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
  });
  #timer = null;
  /** The number of the newest search. */
  #latest = 0;

  /**
   * `load(cursor)` resolves to `{items, next}`; `change(user, add)` adds or removes a user; `empty()` returns what to
   * show while there is none.
   */
  constructor(app, { load, change, empty }) {
    this.#app = app;
    this.#load = load;
    this.#change = change;
    this.#empty = empty;
    this.#input.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#search(), TYPING_PAUSE_MS);
    });
    this.element = h("div", {}, h("div.search", { role: "search" }, icon("search"), this.#input), this.#results, this.#list, this.#tail);
  }

  leave() {
    clearTimeout(this.#timer);
    this.#latest = -1;
  }

  /** Load the next page. */
  async more() {
    try {
      const { items, next } = await this.#load(this.#next);
      this.#next = next;
      for (const user of items) this.#chosen.set(user.id, user);
      this.#draw();
    } catch (error) {
      const again = h("button.button.plain", { type: "button", onclick: () => this.more() }, t("Try again"));
      fill(this.#tail, emptyState("cloud", t("Could not load the list"), error.message, again));
    }
  }

  #draw() {
    const rows = [...this.#chosen.values()].map((user) => h("li", {}, userRow(user, this.#button(user, false))));
    fill(this.#list, rows);
    this.#list.hidden = rows.length === 0;
    const more = h("button.button.plain", { type: "button", onclick: () => this.more() }, t("Show more"));
    fill(this.#tail, this.#next && h("div.empty-state", {}, more), rows.length === 0 && this.#empty());
  }

  #button(user, add) {
    const classes = add ? "button.button.compact" : "button.button.plain.compact";
    const full = add ? t("Add {name}", { name: user.username }) : t("Remove {name}", { name: user.username });
    const button = h(classes, { type: "button", "aria-label": full }, add ? t("Add") : t("Remove"));
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await this.#change(user, add);
        if (add) this.#chosen.set(user.id, user);
        else this.#chosen.delete(user.id);
        this.#draw();
        button.closest("li")?.remove();
      } catch (error) {
        this.#app.toasts.error(error);
        button.disabled = false;
      }
    });
    return button;
  }

  async #search() {
    const query = this.#input.value.trim().replace(/^@/, "");
    const number = ++this.#latest;
    if (query === "") {
      fill(this.#results);
      return;
    }
    try {
      const { items } = await this.#app.api.get("/users", { query, limit: 10 });
      if (number !== this.#latest) return; // The user has typed more since, or left.
      const found = items.filter(({ id }) => id !== this.#app.session.id && !this.#chosen.has(id));
      const rows = found.map((user) => h("li", {}, userRow(user, this.#button(user, true))));
      fill(this.#results, rows.length > 0 ? h("ul.user-list.panel", {}, rows) : h("p.secondary.page-text", {}, t("No account to add has a user name that starts with “{query}”.", { query })));
    } catch (error) {
      if (number === this.#latest) fill(this.#results, emptyState("cloud", t("Could not search"), error.message));
    }
  }
}
