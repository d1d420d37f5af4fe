/** Live updates for the photos that are visible on the screen, and only for those. */

import { descriptionOf } from "./photo_description.js";
import { countersOf } from "./photo_image.js";

/** A photo is subscribed after it was visible for this long, so that scrolling past subscribes to nothing. */
const DWELL_MS = 500;

/** Keeps the counters and descriptions of the visible photos up to date. */
export class VisiblePhotos {
  #app;
  #elements = new Map();
  #observer;

  constructor(app) {
    this.#app = app;
    this.#observer = new IntersectionObserver((entries) => entries.forEach((entry) => this.#visibilityChanged(entry)), { threshold: 0.4 });
  }

  /** Observe an element that shows a photo. */
  add(element, id) {
    this.#elements.set(element, { id, timer: null, stop: null });
    this.#observer.observe(element);
  }

  /** Observe a card until it is left; return it as lists of photos take what they draw. */
  whileShown(card, id) {
    this.add(card.element, id);
    const leave = () => {
      this.remove(card.element);
      card.leave();
    };
    return { element: card.element, leave };
  }

  remove(element) {
    this.#observer.unobserve(element);
    this.#unsubscribe(this.#elements.get(element));
    this.#elements.delete(element);
  }

  leave() {
    this.#observer.disconnect();
    for (const item of this.#elements.values()) this.#unsubscribe(item);
    this.#elements.clear();
  }

  #visibilityChanged({ target, isIntersecting }) {
    const item = this.#elements.get(target);
    if (!item) return;
    this.#unsubscribe(item);
    if (isIntersecting) item.timer = setTimeout(() => this.#subscribe(item), DWELL_MS);
  }

  #subscribe(item) {
    item.stop = this.#app.live.subscribe(`photo:${item.id}`, {
      publication: (data) => {
        this.#app.photos.patch(item.id, { ...countersOf(data), ...descriptionOf(data) });
        this.#app.accounts.received(data);
      },
    });
  }

  #unsubscribe(item) {
    clearTimeout(item?.timer);
    item?.stop?.();
    if (item) item.stop = null;
  }
}
