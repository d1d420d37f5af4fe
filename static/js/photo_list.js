/**
 * A list of photos that grows as the reader scrolls: pages by cursor, a skeleton while the first one loads,
 * a way to try again, and places for photos that arrive or go away meanwhile.
 */

import { blank, fill, h } from "./dom.js";

/** Load the next page when its place is this near, in CSS pixels. */
const AHEAD = "1400px";

export class PhotoList {
  #app;
  #load;
  #draw;
  #empty;
  #entries = new Map();
  #cursor = null;
  #state = "idle";
  #observer;
  #tail = h("div");
  element;

  /**
   * `load(cursor)` answers `{items, next}`; `draw(photo, index)` returns `{element, leave}`; `empty()` returns what
   * to show when there is nothing; `className` is "feed" or "grid".
   */
  constructor(app, { load, draw, empty, className }) {
    this.#app = app;
    this.#load = load;
    this.#draw = draw;
    this.#empty = empty;
    this.body = h(`div.${className}`);
    this.element = h("div", {}, this.body, this.#tail);
    this.#observer = new IntersectionObserver(([entry]) => entry.isIntersecting && this.more(), { rootMargin: AHEAD });
    this.#observer.observe(this.#tail);
    fill(this.#tail, skeleton(className));
  }

  get size() {
    return this.#entries.size;
  }

  has(id) {
    return this.#entries.has(id);
  }

  /** Load the next page, unless one is on its way or the end is reached. */
  async more() {
    if (this.#state === "busy" || this.#state === "done") return;
    this.#state = "busy";
    if (this.size > 0) fill(this.#tail, h("div.spinner", { role: "status", "aria-label": "Loading more photos" }));
    try {
      const { items, next } = await this.#load(this.#cursor);
      if (this.#state === "left") return;
      this.#cursor = next;
      this.#state = next ? "idle" : "done";
      fill(this.#tail);
      for (const photo of items) this.#add(photo, false);
      this.#settle();
    } catch (error) {
      if (this.#state === "left") return;
      this.#state = "failed";
      const again = h("button.button.plain", { type: "button", onclick: () => this.more() }, "Try again");
      fill(this.#tail, blank("cloud", "The photos did not arrive", error.message, again));
    }
  }

  /** Put a photo that just arrived where it belongs by its id, newest first; does nothing if it stands here already. */
  insert(photo) {
    if (this.has(photo.id)) return;
    if (this.size === 0) fill(this.#tail);
    const { element } = this.#add(photo, true);
    element.classList.add("arriving");
  }

  /** Take a photo away. */
  remove(id) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    entry.leave();
    entry.stop();
    entry.element.classList.add("leaving");
    setTimeout(() => entry.element.remove(), 320);
    this.#settle();
  }

  /** Begin anew from the first page, the present photos staying until it has come. */
  async reload() {
    const { items, next } = await this.#load(null);
    for (const id of [...this.#entries.keys()]) this.#forget(id);
    this.body.replaceChildren();
    this.#cursor = next;
    this.#state = next ? "idle" : "done";
    for (const photo of items) this.#add(photo, false);
    fill(this.#tail);
    this.#settle();
  }

  leave() {
    this.#state = "left";
    this.#observer.disconnect();
    for (const id of [...this.#entries.keys()]) this.#forget(id);
  }

  #add(photo, byId) {
    if (this.has(photo.id)) return this.#entries.get(photo.id);
    const entry = this.#draw(photo, this.size);
    entry.stop = this.#app.photos.watch(photo.id, (_fields, removed) => removed && this.remove(photo.id));
    this.#entries.set(photo.id, entry);
    // Ids sort by time. Photos arrive in the order in which they became ready, which may be another.
    const older = byId ? [...this.body.children].find((other) => other.dataset.photo < photo.id) : null;
    this.body.insertBefore(entry.element, older ?? null);
    return entry;
  }

  #forget(id) {
    const { leave, stop } = this.#entries.get(id);
    this.#entries.delete(id);
    leave();
    stop();
  }

  #settle() {
    if (this.#state === "done" && this.size === 0) fill(this.#tail, this.#empty());
    // A short page may leave the tail in sight, of which the observer would not tell again.
    this.#observer.unobserve(this.#tail);
    this.#observer.observe(this.#tail);
  }
}

function skeleton(className) {
  if (className === "grid") return h("div.grid", { "aria-hidden": "true" }, Array.from({ length: 9 }, () => h("div.cell.skeleton")));
  const card = () => {
    const frame = h("div.frame.skeleton", { style: { "aspect-ratio": "4 / 3" } });
    return h("div.card", {}, h("div.card-head", {}, h("span.avatar.skeleton"), h("div.who", {}, "\u00a0")), frame, h("div.card-text", {}, "\u00a0"));
  };
  return h("div.feed", { "aria-hidden": "true" }, card(), card());
}
