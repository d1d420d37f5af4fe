/** Listen to what happens to the photos a reader is looking at, and only to those. */

import { countersOf } from "./photo_image.js";

/** A photo counts as looked at after so many milliseconds in sight: scrolling past subscribes to nothing. */
const DWELL = 500;

/** Keep likes and comments of the photos in sight up to date while they are shown. */
export class InSight {
  #app;
  #elements = new Map();
  #observer;

  constructor(app) {
    this.#app = app;
    this.#observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#seen(entry)), { threshold: 0.4 });
  }

  /** Follow the photo that an element shows whenever it is in sight. */
  add(element, id) {
    this.#elements.set(element, { id, timer: null, stop: null });
    this.#observer.observe(element);
  }

  remove(element) {
    this.#observer.unobserve(element);
    this.#rest(this.#elements.get(element));
    this.#elements.delete(element);
  }

  leave() {
    this.#observer.disconnect();
    for (const item of this.#elements.values()) this.#rest(item);
    this.#elements.clear();
  }

  #seen({ target, isIntersecting }) {
    const item = this.#elements.get(target);
    if (!item) return;
    this.#rest(item);
    if (isIntersecting) item.timer = setTimeout(() => this.#follow(item), DWELL);
  }

  #follow(item) {
    item.stop = this.#app.live.subscribe(`photo:${item.id}`, {
      publication: (data) => this.#app.photos.patch(item.id, countersOf(data)),
    });
  }

  #rest(item) {
    clearTimeout(item?.timer);
    item?.stop?.();
    if (item) item.stop = null;
  }
}
