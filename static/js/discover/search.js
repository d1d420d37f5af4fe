/**
 * The search for users, tags and photos, as the user types: a field, tabs, the results, and the last searches.
 *
 * The text and the tab are in the address, so that they are still there after a reload. With the arrow keys one moves
 * from the field through the results, and Escape leads back to the field.
 */

import { emptyState, fill, h, icon } from "../elements/dom.js";
import { searchedWords } from "../elements/highlight.js";
import { forgetSearches, recentSearches, rememberSearch } from "./recent_searches.js";
import { noResults, photoResults, tagResults, userResults } from "./search_results.js";
import { lineDirection, t, tn } from "../elements/texts.js";

/** A search is sent after this time without a keystroke, in milliseconds. */
const TYPING_PAUSE_MS = 150;
const MAX_LENGTH = 100;
/** Results of each kind in the tab of all, and of one page of a tab. */
const FEW = 6;
const PAGE = 30;
const TABS = [
  ["all", t("All")],
  ["users", t("People")],
  ["tags", t("Tags")],
  ["photos", t("Photos")],
];

export class Search {
  #app;
  #onActive;
  #timer = null;
  /** Of the requests, only the newest one may show its results. */
  #request = new AbortController();
  #type = "all";
  #leaveResults = [];
  #tabs;
  #recent = h("div.recent-searches", { hidden: true });
  #list = h("div");
  #status = h("p.visually-hidden", { role: "status" });

  /** `onActive(active)` is called with whether there is a search to show instead of the rest of the page. */
  constructor(app, { onActive }) {
    this.#app = app;
    this.#onActive = onActive;
    this.input = h("input", {
      type: "search",
      placeholder: t("Search"),
      "aria-label": t("Search people, tags and photos"),
      autocomplete: "off",
      autocapitalize: "none",
      spellcheck: "false",
      enterkeyhint: "search",
      maxlength: MAX_LENGTH,
      oninput: () => this.#typed(),
      onfocus: () => this.#showRecent(),
    });
    this.#tabs = h("div.tabs", { role: "tablist", "aria-label": t("Kinds of results"), hidden: true }, TABS.map((tab) => this.#tab(...tab)));
    this.field = h("div.search", { role: "search" }, icon("search"), this.input);
    this.results = h("div.search-results", { onclick: (event) => this.#opened(event) }, this.#recent, this.#tabs, this.#status, this.#list);
    this.element = h("div", { onkeydown: (event) => this.#pressed(event) }, this.field, this.results);
    this.#restore();
  }

  leave() {
    clearTimeout(this.#timer);
    this.#request.abort();
    this.#clear();
  }

  get #text() {
    return this.input.value.trim();
  }

  #restore() {
    const given = new URLSearchParams(location.search);
    this.input.value = (given.get("q") ?? "").slice(0, MAX_LENGTH);
    if (TABS.some(([type]) => type === given.get("type"))) this.#type = given.get("type");
    if (this.#text !== "") this.#search();
  }

  #typed() {
    clearTimeout(this.#timer);
    this.#showRecent();
    if (this.#text === "") this.#search();
    else this.#timer = setTimeout(() => this.#search(), TYPING_PAUSE_MS);
  }

  #select(type) {
    this.#type = type;
    this.#search();
  }

  #remember() {
    const query = new URLSearchParams(this.#text === "" ? {} : { q: this.#text, ...(this.#type === "all" ? {} : { type: this.#type }) });
    history.replaceState(history.state, "", location.pathname + (query.size > 0 ? `?${query}` : ""));
  }

  async #search() {
    clearTimeout(this.#timer);
    this.#request.abort();
    const text = this.#text;
    this.#onActive(text !== "");
    this.#remember();
    this.#tabs.hidden = text === "";
    this.#markTab();
    if (text === "") {
      this.#clear();
      fill(this.#status);
      return;
    }
    const { signal } = (this.#request = new AbortController());
    try {
      const found = await this.#fetch(text, { signal, limit: this.#type === "all" ? FEW : PAGE });
      if (!signal.aborted) this.#show(text, found, signal);
    } catch (error) {
      if (!signal.aborted) this.#replace(emptyState("cloud", t("Could not search"), error.message));
    }
  }

  #fetch(text, { signal, limit, cursor = null }) {
    return this.#app.api.request("GET", "/search", { query: { q: text, type: this.#type, limit, cursor }, signal });
  }

  #show(text, found, signal) {
    const words = searchedWords(text);
    const parts = this.#type === "all" ? this.#best(found, words) : this.#page(text, found, words, signal);
    const number = this.#type === "all" ? found.users.length + found.tags.length + found.photos.length : found.items.length;
    if (number === 0) parts.push(noResults(text));
    if (found.partial) parts.push(h("p.secondary.small.partial", {}, t("The search took too long, so results may be missing.")));
    this.#replace(...parts);
    fill(this.#status, number === 0 ? t("Nothing found") : tn("{count} result", "{count} results", number));
  }

  /** Return the best results of each kind, with a button that shows all of the kind. */
  #best({ users, tags, photos }, words) {
    const lists = { users, tags, photos };
    return TABS.filter(([type]) => lists[type]?.length > 0).map(([type, label]) => {
      const more = h("button.link-button", { type: "button", onclick: () => this.#select(type) }, t("Show all"));
      const head = h("div.section-head", {}, h("h2", {}, label), lists[type].length === FEW && more);
      return h("section", {}, head, this.#draw(type, lists[type], words));
    });
  }

  /** Return a page of one kind, with a button for the next one. */
  #page(text, { items, next }, words, signal) {
    const tail = h("div");
    const body = h("div", {}, items.length > 0 && this.#draw(this.#type, items, words));
    const showButton = (cursor) => {
      const more = h("button.button.plain", { type: "button", onclick: () => load(cursor) }, t("Show more"));
      fill(tail, cursor && h("div.empty-state", {}, more));
    };
    const load = async (cursor) => {
      try {
        const page = await this.#fetch(text, { signal, limit: PAGE, cursor });
        if (signal.aborted) return;
        body.append(this.#draw(this.#type, page.items, words));
        showButton(page.next);
      } catch (error) {
        if (!signal.aborted) this.#app.toasts.error(error);
      }
    };
    showButton(next);
    return [body, tail];
  }

  #draw(type, items, words) {
    if (type === "users") return userResults(items, words);
    if (type === "tags") return tagResults(items, words);
    const { element, leave } = photoResults(this.#app, items);
    this.#leaveResults.push(leave);
    return element;
  }

  #replace(...parts) {
    this.#clear();
    fill(this.#list, parts);
  }

  #clear() {
    for (const leave of this.#leaveResults.splice(0)) leave();
    fill(this.#list);
  }

  #tab(type, label) {
    return h("button.tab", { type: "button", role: "tab", data: { type }, onclick: () => this.#select(type) }, label);
  }

  #markTab() {
    for (const tab of this.#tabs.children) {
      const selected = tab.dataset.type === this.#type;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
    }
  }

  /** Show the last searches while the field is empty and has the focus. */
  #showRecent() {
    const user = this.#app.session.id;
    const texts = this.input.value === "" ? recentSearches(user) : [];
    this.#recent.hidden = texts.length === 0;
    if (texts.length === 0) return;
    const forget = (text) => {
      forgetSearches(user, text);
      this.input.focus();
      this.#showRecent();
    };
    const rows = texts.map((text) =>
      h(
        "li.recent",
        {},
        h("button.recent-text", { type: "button", onclick: () => this.#repeat(text) }, icon("search"), h("span", { dir: "auto" }, text)),
        h("button.icon-button", { type: "button", "aria-label": t("Forget {text}", { text }), onclick: () => forget(text) }, icon("close")),
      ),
    );
    const all = h("button.link-button", { type: "button", onclick: () => forget(null) }, t("Forget all"));
    fill(this.#recent, h("div.section-head", {}, h("h2", {}, t("Recent")), all), h("ul.panel", {}, rows));
  }

  #repeat(text) {
    this.input.value = text;
    this.input.focus();
    this.#showRecent();
    this.#search();
  }

  /** A result was opened, so the search is worth being remembered. */
  #opened(event) {
    if (event.target.closest("a[href]") && this.#text !== "") rememberSearch(this.#app.session.id, this.#text);
  }

  #pressed(event) {
    if (event.isComposing) return;
    const tabs = [...this.#tabs.children];
    if (tabs.includes(event.target) && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
      const step = (event.key === "ArrowRight") === (lineDirection() === 1) ? 1 : tabs.length - 1;
      const next = tabs[(tabs.indexOf(event.target) + step) % tabs.length];
      event.preventDefault();
      this.#select(next.dataset.type);
      next.focus();
    } else if (event.key === "Enter" && event.target === this.input && this.#text !== "") {
      rememberSearch(this.#app.session.id, this.#text);
      this.#search();
    } else if (event.key === "Escape" && event.target !== this.input) {
      this.input.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      this.#step(event, event.key === "ArrowDown" ? 1 : -1);
    }
  }

  /** Move the focus to the next or previous result; before the first one is the field. */
  #step(event, step) {
    const stops = [this.input, ...this.results.querySelectorAll("a:not([tabindex='-1']), .recent-text")];
    const target = stops[stops.indexOf(event.target) + step];
    if (!stops.includes(event.target) || !target) return;
    event.preventDefault();
    target.focus();
  }
}
