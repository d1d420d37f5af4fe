/**
 * A list of photos that grows as the user scrolls: pages by cursor, a skeleton while the first page loads, a button to
 * try again after an error, and live insertions and removals. Only the rows near the screen are in the page.
 *
 * The list keeps its place over a reload: it has the ids and heights of the photos above, and fetches these when they are near the screen.
 */

import { fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";
import { unavailable } from "../elements/unavailable.js";
import { ListPlace, linkedPhoto } from "./list_place.js";
import { ListWindow } from "./list_window.js";
import { applyFields } from "./photo_pictures.js";

/** The next page is loaded when the end of the list is this close to the window. */
const PRELOAD_DISTANCE = "1400px";
/** In milliseconds; as the transition of `.leaving`. */
const LEAVING_MS = 320;
/** A photo that a link names is looked for in so many pages. */
const MAX_LINK_PAGES = 40;
/** A page of photos that could not be fetched again is tried again after this time, in milliseconds. */
const RETRY_MS = 3000;

export class PhotoList {
  #app;
  #load;
  #empty;
  #newer;
  #byId = new Map();
  /** The pages that were loaded: the cursor of each. */
  #cursors = [];
  #next = null;
  #state = "idle";
  #window;
  #place;
  #observer;
  #stop;
  /** The pages that are being fetched again. */
  #fetching = new Set();
  /** The photos that came since the list began to be restored; else null. */
  #arrived = null;
  #tail = h("div");
  element;

  /**
   * `load(cursor)` resolves to `{items, next}`; `draw(photo, index)` returns `{element, leave}`; `empty()` returns what
   * to show when there is nothing; `className` is "feed" or "grid". With `keepsPlace` the list, the only such one of its page, is at the same
   * place after a reload; its order must not change by itself. `newer(photos, gap)` is called with new photos that a
   * list finds that was read further down before a reload, with `gap` if there are more than these; they are inserted by default.
   */
  constructor(app, { load, draw, empty, className, keepsPlace = false, newer = null }) {
    this.#app = app;
    this.#load = load;
    this.#empty = empty;
    this.#newer = newer ?? ((photos) => photos.forEach((photo) => this.insert(photo)));
    this.body = h(`div.${className}`);
    this.#window = new ListWindow(this.body, { draw, missing: (entries) => this.#fetchAgain(entries) });
    this.element = h("div", {}, this.#window.ruler, this.body, this.#tail);
    this.#place = keepsPlace ? new ListPlace(app.session.id, () => this.#snapshot()) : null;
    // On a busy device several changes come together; the last one counts.
    this.#observer = new IntersectionObserver((entries) => entries.at(-1).isIntersecting && this.more(), { rootMargin: PRELOAD_DISTANCE });
    this.#observer.observe(this.#tail);
    this.#stop = app.accounts.watch((userId) => this.#removeBy(userId));
    fill(this.#tail, skeleton(className));
    // The list of a page is not waited for until it is on the screen: its first photos may have come with the page.
    if (keepsPlace) queueMicrotask(() => this.more());
  }

  get size() {
    return this.#byId.size;
  }

  has(id) {
    return this.#byId.has(id);
  }

  /** The ids of the photos that were loaded, in the order of the list. */
  get ids() {
    return this.#window.entries.map(({ id }) => id);
  }

  /** Move a photo to an index. */
  move(id, index) {
    this.#window.move(this.#byId.get(id), index);
  }

  /** Keep the element of a photo in the page, wherever it is; null releases it. */
  hold(id) {
    this.#window.held = this.#byId.get(id) ?? null;
  }

  /** The photos that are loaded, the newest first. */
  get photos() {
    const photos = [...this.#byId.values()].map(({ photo }) => photo).filter(Boolean);
    return photos.sort((one, other) => (one.id < other.id ? 1 : -1));
  }

  /** Load the next page, unless one is being loaded or the end is reached. */
  async more() {
    if (this.#state === "busy" || this.#state === "done") return;
    const isFirst = this.#cursors.length === 0;
    this.#state = "busy";
    if (this.size > 0) fill(this.#tail, h("div.spinner", { role: "status", "aria-label": t("Loading more photos") }));
    try {
      if (isFirst && (await this.#restore())) return;
      const page = await this.#load(this.#next);
      if (this.#state === "left") return;
      this.#append(page);
      if (isFirst && this.#place && linkedPhoto()) await this.#showLinked(linkedPhoto());
    } catch (error) {
      if (this.#state === "left") return;
      this.#state = "failed";
      fill(this.#tail, unavailable(this.#app, { heading: t("Could not load photos"), error, again: () => this.more() }));
    }
  }

  /** Insert a new photo in its place by id, newest first, unless the list has it already. */
  insert(photo) {
    if (this.has(photo.id)) return;
    if (this.#arrived) {
      this.#arrived.push(photo);
      return;
    }
    if (this.size === 0) fill(this.#tail);
    // Ids are ordered by upload time, but photos arrive in the order in which their processing has finished.
    const { entries } = this.#window;
    const older = entries.findIndex(({ id }) => id < photo.id);
    const index = older < 0 ? entries.length : older;
    const entry = this.#entry(photo.id, photo, entries[older]?.page ?? Math.max(0, this.#cursors.length - 1));
    this.#window.insert(index, entry);
    this.#window.update();
    entry.element?.classList.add("arriving");
  }

  /** Remove a photo. */
  remove(id) {
    const entry = this.#byId.get(id);
    if (!entry) return;
    this.#forget(entry);
    const remove = () => {
      this.#window.remove(entry);
      this.#window.update();
    };
    if (entry.element) {
      entry.element.classList.add("leaving");
      setTimeout(remove, LEAVING_MS);
    } else remove();
    this.#updateTail();
  }

  /** Load the list again from the first page; the current photos stay until that page has arrived. */
  async reload() {
    const page = await this.#load(null);
    if (this.#state === "left") return;
    const { place } = this.#window;
    for (const entry of [...this.#byId.values()]) this.#forget(entry);
    this.#window.clear();
    this.#cursors = [];
    this.#next = null;
    this.#append(page);
    if (place) this.#window.show(place);
  }

  leave() {
    this.#state = "left";
    this.#place?.leave();
    this.#stop();
    this.#observer.disconnect();
    for (const entry of [...this.#byId.values()]) this.#forget(entry);
    this.#window.leave();
  }

  #entry(id, photo, page, size = null) {
    if (photo) this.#app.pending.apply(photo);
    const entry = { id, photo, page, size, element: null, leave: null, row: 0 };
    // While it is not in the page, nothing else notes its changes.
    entry.stop = this.#app.photos.watch(id, (fields, removed) => {
      if (removed) this.remove(id);
      else if (entry.photo) applyFields(entry.photo, fields);
    });
    this.#byId.set(id, entry);
    return entry;
  }

  #forget(entry) {
    this.#byId.delete(entry.id);
    entry.stop();
  }

  #append({ items, next }) {
    const page = this.#cursors.push(this.#next) - 1;
    this.#next = next;
    this.#state = next ? "idle" : "done";
    fill(this.#tail);
    const added = items.filter(({ id }) => !this.has(id)).map((photo) => this.#entry(photo.id, photo, page));
    this.#window.insert(this.#window.entries.length, ...added);
    this.#window.update();
    this.#updateTail();
  }

  #removeBy(userId) {
    for (const { id, photo } of [...this.#byId.values()]) if (photo?.author.id === userId) this.remove(id);
  }

  #snapshot() {
    const { place, entries } = this.#window;
    if (!place || this.#cursors.length === 0) return null;
    const kept = entries.filter(({ id }) => this.has(id)).map(({ id, page, size }) => [id, page, size]);
    return { place, cursors: this.#cursors, next: this.#next, entries: kept };
  }

  /** Show the list as it was before a reload, and return whether there is one. The user may have scrolled meanwhile. */
  async #restore() {
    const former = this.#place?.former;
    if (!former) return false;
    this.#arrived ??= [];
    const { items, next } = await this.#load(null);
    if (this.#state === "left") return true;
    this.#cursors = former.cursors;
    this.#next = former.next;
    this.#state = former.next ? "idle" : "done";
    this.#window.insert(0, ...former.entries.map(([id, page, size]) => this.#entry(id, null, page, size)));
    fill(this.#tail);
    const unknown = this.#fillIn(items);
    await this.#fetchPage(this.#byId.get(former.place.id)?.page ?? 0);
    if (scrollY === 0) this.#window.show(former.place);
    const newer = [...this.#arrived.filter(({ id }) => !items.some((item) => item.id === id)), ...unknown];
    this.#arrived = null;
    if (newer.length > 0) this.#newer(newer, unknown.length === items.length && next !== null);
    this.#updateTail();
    return true;
  }

  /** Load pages until there is the photo that the address names, and show it. */
  async #showLinked(id) {
    while (!this.has(id) && this.#next && this.#cursors.length < MAX_LINK_PAGES && this.#state !== "left") this.#append(await this.#load(this.#next));
    if (this.#state === "left") return;
    if (!this.#window.show({ id, top: innerHeight / 3 })) this.#app.toasts.show(t("This photo is not in this list, or far down."));
    this.#byId.get(id)?.element?.classList.add("linked");
  }

  /** Give entries their photos; return the photos that the list does not have. */
  #fillIn(photos) {
    const unknown = [];
    for (const photo of photos) {
      const entry = this.#byId.get(photo.id);
      if (entry) entry.photo ??= photo;
      else unknown.push(photo);
    }
    return unknown;
  }

  #fetchAgain(entries) {
    for (const page of new Set(entries.map((entry) => entry.page))) this.#fetchPage(page);
  }

  /** Fetch the photos of a page again; those that are on another page by now one by one. */
  async #fetchPage(page) {
    if (this.#fetching.has(page)) return;
    this.#fetching.add(page);
    try {
      const missing = () => [...this.#byId.values()].filter((entry) => entry.page === page && !entry.photo);
      if (missing().length > 0) this.#fillIn((await this.#load(this.#cursors[page])).items);
      await Promise.all(missing().map((entry) => this.#fetchOne(entry)));
      this.#fetching.delete(page);
      if (this.#state !== "left") this.#window.update();
    } catch {
      // The space stays empty, and the page is fetched when the user scrolls after a while.
      setTimeout(() => this.#fetching.delete(page), RETRY_MS);
    }
  }

  async #fetchOne({ id }) {
    try {
      this.#fillIn([await this.#app.api.get(`/photos/${id}`)]);
    } catch (error) {
      if (error.status !== 404) throw error;
      this.remove(id);
    }
  }

  #updateTail() {
    if (this.#state === "done" && this.size === 0) fill(this.#tail, this.#empty());
    // After a short page the tail may still be visible. The observer reports that only when it is added again.
    this.#observer.unobserve(this.#tail);
    this.#observer.observe(this.#tail);
  }
}

function skeleton(className) {
  if (className === "grid") return h("div.grid", { "aria-hidden": "true" }, Array.from({ length: 9 }, () => h("div.cell.skeleton")));
  const card = () => {
    const frame = h("div.frame.skeleton", { style: { "aspect-ratio": "4 / 3" } });
    return h("div.card", {}, h("div.card-head", {}, h("span.avatar.skeleton"), h("div.user-names", {}, "\u00a0")), frame, h("div.card-text", {}, "\u00a0"));
  };
  return h("div.feed", { "aria-hidden": "true" }, card(), card());
}
