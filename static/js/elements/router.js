/**
 * Client-side routing with the History API.
 *
 * A page is a function `(app, params) => {element, title, wide?, keep?, leave?(), refresh?()}`, or a promise of that (see
 * lazy_page.js). `refresh()` loads its newest content, and returns a promise. A page with `keep` stays alive for a while after the user has left it, so that going back shows it
 * unchanged and at the same scroll position.
 */

import { emptyPage, h } from "./dom.js";
import { tabValues } from "./kept_values.js";
import { scrollToTop } from "./scrolling.js";
import { nextFrame } from "./later.js";
import { languageChanges, t } from "./texts.js";

/** Pages kept alive after the user has left them. */
const MAX_KEPT_PAGES = 4;
/** The key for the time at which the page was loaded again because its files were gone, and how long that counts. */
const LOADED_AGAIN_KEY = "picshare.loaded-again";
const LOAD_AGAIN_AFTER_MS = 60_000;
const SERVER_PATHS = /^\/(api|media|static|docs|graphql|metrics|healthz|readyz)(\/|$)/;

/** Return the parameters of a path that matches a pattern such as "/u/:username", or null. */
export function match(pattern, path) {
  const names = pattern.split("/");
  const values = path.replace(/(.)\/$/, "$1").split("/");
  if (names.length !== values.length) return null;
  const params = {};
  for (const [position, name] of names.entries()) {
    if (name.startsWith(":")) {
      if (!values[position]) return null;
      try {
        params[name.slice(1)] = decodeURIComponent(values[position]);
      } catch {
        return null;
      }
    } else if (name !== values[position]) return null;
  }
  return params;
}

export class Router extends EventTarget {
  #routes;
  #outlet;
  #open;
  #current = null;
  /** Closes what covers the page, or null. */
  #covered = null;
  /** The promise of the page that is being loaded. */
  #awaited = null;
  /** Whether the server has another version than this page. */
  #expired = false;
  #isBusy = () => false;
  /** The path of the link that was chosen last, until its page is created. */
  #followed = null;
  /** Kept pages by the key of their history entry, the least recently used first. */
  #kept = new Map();

  /** `routes` is a list of [pattern, page]; `open(page, params)` creates a page, or returns a path to redirect to. */
  constructor({ routes, outlet, open }) {
    super();
    this.#routes = routes;
    this.#outlet = outlet;
    this.#open = open;
  }

  get path() {
    return location.pathname;
  }

  /** Whether the shown page can be refreshed. */
  get canRefresh() {
    return Boolean(this.#current?.refresh);
  }

  /** Load the newest content of the shown page. */
  async refresh() {
    await this.#current?.refresh?.();
  }

  start() {
    history.scrollRestoration = "manual";
    addEventListener("popstate", () => this.#popped());
    languageChanges.addEventListener("change", () => this.#current && this.setTitle(this.#current.title));
    document.addEventListener("click", (event) => this.#clicked(event));
    if (!history.state?.key) history.replaceState({ key: newKey() }, "");
    this.#show();
  }

  /** Have the next page loaded from the server, with the files of the version that it has now. */
  expire(isBusy) {
    this.#expired = true;
    this.#isBusy = isBusy;
  }

  /** Go to a path; `replace` replaces the current history entry. */
  go(path, { replace = false } = {}) {
    if (this.#expired && !this.#isBusy()) {
      location[replace ? "replace" : "assign"](path);
      return;
    }
    // `inside` shows that the previous entry is also a page of this application.
    if (replace || history.state?.cover) history.replaceState({ key: newKey(), inside: history.state?.inside }, "", path);
    else history.pushState({ key: newKey(), inside: true }, "", path);
    this.#show();
  }

  /**
   * Add a history entry for what is about to cover the shown page. `close()` is called once, when the user goes back,
   * when another page is shown, or by the returned function, which removes the entry, too.
   */
  cover(close) {
    history.pushState({ key: history.state?.key, inside: true, cover: true }, "");
    this.#covered = close;
    return () => {
      if (this.#covered !== close) return;
      this.#uncover();
      history.back();
    };
  }

  /** Give the shown page another path, if it has the path `former`. */
  rename(former, path) {
    if (location.pathname === former && path !== former) history.replaceState(history.state, "", path);
  }

  /** Go back, or to `fallback` if this is the first page of the visit. */
  back(fallback = "/") {
    if (history.state?.inside) history.back();
    else this.go(fallback, { replace: true });
  }

  /** Drop every kept page and show the current path again, e.g. for another user. */
  reset() {
    this.#leave(false);
    for (const page of this.#kept.values()) page.leave?.();
    this.#kept.clear();
    this.#show();
  }

  #clicked(event) {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (SERVER_PATHS.test(link.pathname) || link.hash) return;
    event.preventDefault();
    if (link.pathname + link.search === (this.#followed ?? location.pathname + location.search)) {
      scrollToTop();
      this.dispatchEvent(new Event("clicked-again"));
    } else {
      this.#follow(link);
    }
  }

  /** Go where a link leads, once that it was chosen is to be seen: a large page takes longer to be drawn. */
  async #follow({ pathname, search }) {
    const path = pathname + search;
    this.#followed = path;
    this.dispatchEvent(new CustomEvent("following", { detail: pathname }));
    await nextFrame();
    if (this.#followed === path) this.go(path);
  }

  #popped() {
    this.#uncover();
    // Back from a cover, or forward to where one was.
    const key = history.state?.key;
    if (!key || key !== this.#current?.key) this.#show();
  }

  #uncover() {
    const close = this.#covered;
    this.#covered = null;
    close?.();
  }

  #show() {
    this.#followed = null;
    this.#leave(true);
    const key = history.state?.key ?? newKey();
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    this.#awaited = null;
    const page = kept ?? this.#create();
    if (page instanceof Promise) this.#showLater(page, key);
    else this.#place(page, key, kept?.scrollY);
  }

  /** Show a page when its module is loaded, unless the user has gone elsewhere meanwhile. */
  async #showLater(promise, key) {
    this.#awaited = promise;
    this.#outlet.setAttribute("aria-busy", "true");
    let page;
    try {
      page = await promise;
    } catch (error) {
      if (error.name === "OtherVersionError" && loadAgainOnce()) return;
      const again = h("button.button", { type: "button", onclick: () => location.reload() }, t("Try again"));
      page = { title: "", element: emptyPage("cloud", t("This page did not load"), t("Check your connection, then try again."), again) };
    }
    if (this.#awaited !== promise) {
      page.leave?.();
      return;
    }
    this.#awaited = null;
    this.#place(page, key);
  }

  #place(page, key, scrollY) {
    this.#outlet.removeAttribute("aria-busy");
    if (typeof page === "string") {
      this.go(page, { replace: true });
      return;
    }
    page.key = key;
    this.#current = page;
    this.#outlet.replaceChildren(page.element);
    this.#outlet.classList.toggle("wide", page.wide === true);
    this.setTitle(page.title);
    scrollTo({ top: scrollY ?? 0, behavior: "instant" });
    if (scrollY === undefined) this.#focusStart(page.element);
    this.dispatchEvent(new Event("shown"));
  }

  /** Set the title of the page, e.g. when its photo has loaded. */
  setTitle(title) {
    if (this.#current) this.#current.title = title;
    document.title = title ? `${title} · PicShare` : "PicShare";
    // A page that had to load its heading first has no focus until now.
    if (this.#current && document.activeElement === document.body) this.#focusStart(this.#current.element);
  }

  #create() {
    for (const [pattern, page] of this.#routes) {
      const params = match(pattern, location.pathname);
      if (params) return this.#open(page, params);
    }
    return this.#open(null, {});
  }

  #leave(mayKeep) {
    this.#uncover();
    const page = this.#current;
    this.#current = null;
    if (!page) return;
    if (!mayKeep || !page.keep) {
      page.leave?.();
      return;
    }
    page.scrollY = scrollY;
    this.#kept.set(page.key, page);
    if (this.#kept.size > MAX_KEPT_PAGES) {
      const [oldest, forgotten] = this.#kept.entries().next().value;
      this.#kept.delete(oldest);
      forgotten.leave?.();
    }
  }

  /** Focus the first field of the new page, a wrong one before others, or its heading: keyboards and screen readers start there. */
  #focusStart(element) {
    const first = ["[aria-invalid]", "[data-focus]", "h1"].map((part) => element.querySelector(part)).find(Boolean);
    if (!first) return;
    if (first.localName === "h1") first.tabIndex = -1;
    first.focus({ preventScroll: true });
  }
}

/** Load the page again with the files of the present version; return whether it is, since that may not help twice. */
function loadAgainOnce() {
  const since = Date.now() - Number(tabValues.get(LOADED_AGAIN_KEY));
  if (since < LOAD_AGAIN_AFTER_MS) return false;
  tabValues.set(LOADED_AGAIN_KEY, String(Date.now()));
  location.reload();
  return true;
}

function newKey() {
  return Math.random().toString(36).slice(2);
}
