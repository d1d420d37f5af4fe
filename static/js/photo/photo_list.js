/**
 * A list of photos that grows as the user scrolls: pages by cursor, a skeleton while the first page loads, a button to
 * try again after an error, and live insertions and removals.
 */

import { emptyState, fill, h } from "../elements/dom.js";
import { t } from "../elements/texts.js";

/** The next page is loaded when the end of the list is this close to the window. */
const PRELOAD_DISTANCE = "1400px";

export class PhotoList {
  #app;
  #load;
  #draw;
  #empty;
  #entries = new Map();
  #cursor = null;
  #state = "idle";
  #observer;
  #stop;
  #tail = h("div");
  element;

  /**
   * `load(cursor)` resolves to `{items, next}`; `draw(photo, index)` returns `{element, leave}`; `empty()` returns what
   * to show when there is nothing; `className` is "feed" or "grid".
   */
  constructor(app, { load, draw, empty, className }) {
    this.#app = app;
    this.#load = load;
    this.#draw = draw;
    this.#empty = empty;
    this.body = h(`div.${className}`);
    this.element = h("div", {}, this.body, this.#tail);
    this.#observer = new IntersectionObserver(([entry]) => entry.isIntersecting && this.more(), { rootMargin: PRELOAD_DISTANCE });
    this.#observer.observe(this.#tail);
    this.#stop = app.accounts.watch((userId) => this.#removeBy(userId));
    fill(this.#tail, skeleton(className));
  }

  get size() {
    return this.#entries.size;
  }

  has(id) {
    return this.#entries.has(id);
  }

  /** Load the next page, unless one is being loaded or the end is reached. */
  async more() {
    if (this.#state === "busy" || this.#state === "done") return;
    this.#state = "busy";
    if (this.size > 0) fill(this.#tail, h("div.spinner", { role: "status", "aria-label": t("Loading more photos") }));
    try {
      const { items, next } = await this.#load(this.#cursor);
      if (this.#state === "left") return;
      this.#cursor = next;
      this.#state = next ? "idle" : "done";
      fill(this.#tail);
      for (const photo of items) this.#add(photo, false);
      this.#updateTail();
    } catch (error) {
      if (this.#state === "left") return;
      this.#state = "failed";
      const again = h("button.button.plain", { type: "button", onclick: () => this.more() }, t("Try again"));
      fill(this.#tail, emptyState("cloud", t("Could not load photos"), error.message, again));
    }
  }

  /** Insert a new photo in its place by id, newest first, unless the list has it already. */
  insert(photo) {
    if (this.has(photo.id)) return;
    if (this.size === 0) fill(this.#tail);
    const { element } = this.#add(photo, true);
    element.classList.add("arriving");
  }

  /** Remove a photo. */
  remove(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    entry.leave();
    entry.stop();
    entry.element.classList.add("leaving");
    setTimeout(() => entry.element.remove(), 320);
    this.#updateTail();
  }

  /** Load the list again from the first page; the current photos stay until that page has arrived. */
  async reload() {
    const { items, next } = await this.#load(null);
    for (const id of [...this.#entries.keys()]) this.#dispose(id);
    this.body.replaceChildren();
    this.#cursor = next;
    this.#state = next ? "idle" : "done";
    for (const photo of items) this.#add(photo, false);
    fill(this.#tail);
    this.#updateTail();
  }

  leave() {
    this.#state = "left";
    this.#stop();
    this.#observer.disconnect();
    for (const id of [...this.#entries.keys()]) this.#dispose(id);
  }

  #add(photo, byId) {
    if (this.has(photo.id)) return this.#entries.get(photo.id);
    const entry = this.#draw(photo, this.size);
    entry.author = photo.author.id;
    entry.stop = this.#app.photos.watch(photo.id, (_fields, removed) => removed && this.remove(photo.id));
    this.#entries.set(photo.id, entry);
    // Ids are ordered by upload time, but photos arrive in the order in which their processing has finished.
    const older = byId ? [...this.body.children].find((other) => other.dataset.photo < photo.id) : null;
    this.body.insertBefore(entry.element, older ?? null);
    return entry;
  }

  #removeBy(userId) {
    for (const [id, { author }] of [...this.#entries]) if (author === userId) this.remove(id);
  }

  #dispose(id) {
    const { leave, stop } = this.#entries.get(id);
    this.#entries.delete(id);
    leave();
    stop();
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
