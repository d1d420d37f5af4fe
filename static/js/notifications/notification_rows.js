/** The rows of the notifications that are in the page, the newest first; their number is bounded. */

import { h } from "../elements/dom.js";

/** There are at most so many rows, and so many of the last ones are left when older ones make them more. */
const MOST_SHOWN = 150;
const LEFT = 90;

export class NotificationRows {
  #draw;
  /** {notification, row} by id. */
  #shown = new Map();
  element = h("ul.notifications.panel", { hidden: true });
  /** Whether there are notifications before the first row that are not shown. */
  isCut = false;

  /** `draw(notification)` returns a row. */
  constructor(draw) {
    this.#draw = draw;
  }

  get size() {
    return this.#shown.size;
  }

  get all() {
    return [...this.#shown.values()];
  }

  has(id) {
    return this.#shown.has(id);
  }

  /** Show the newest notifications in place of all. */
  replace(notifications) {
    const former = this.#shown;
    this.#shown = new Map();
    this.isCut = false;
    this.element.replaceChildren(...notifications.map((notification) => this.#row(notification, former.get(notification.id))));
    this.#update();
  }

  /** Show older notifications after the last one; what is on the screen keeps its place. */
  append(notifications) {
    const last = this.element.lastElementChild;
    for (const notification of notifications) this.#put(notification, null);
    if (this.size > MOST_SHOWN) this.#cut(last);
    this.#update();
  }

  /** Show a notification, or a newer version of one, in its place by position; of what is older than all rows this is the end. */
  insert(notification) {
    const { position } = notification;
    const below = this.all.filter(({ notification: other }) => other.id !== notification.id && other.position < position);
    const next = below.reduce((newest, entry) => (newest && newest.notification.position > entry.notification.position ? newest : entry), null);
    const row = this.#put(notification, next?.row ?? null);
    this.#update();
    return row;
  }

  /** Show a newer version of a notification where it is. */
  change(notification) {
    const { row } = this.#shown.get(notification.id);
    const drawn = this.#draw(notification);
    row.replaceWith(drawn);
    this.#shown.set(notification.id, { notification, row: drawn });
  }

  remove(ids) {
    for (const id of ids) {
      this.#shown.get(id)?.row.remove();
      this.#shown.delete(id);
    }
    this.#update();
  }

  clear() {
    this.replace([]);
  }

  #put(notification, before) {
    const former = this.#shown.get(notification.id);
    const row = this.#row(notification, former);
    former?.row.remove();
    this.element.insertBefore(row, before);
    return row;
  }

  #row(notification, former) {
    const row = this.#draw(notification);
    // What the page has marked as seen stays highlighted.
    if (former?.row.classList.contains("new") && former.notification.position === notification.position) row.classList.add("new");
    this.#shown.set(notification.id, { notification, row });
    return row;
  }

  #cut(anchor) {
    const before = anchor.getBoundingClientRect().top;
    const rows = [...this.element.children];
    for (const row of rows.slice(0, -LEFT)) {
      this.#shown.delete(row.dataset.notification);
      row.remove();
    }
    this.isCut = true;
    scrollBy({ top: anchor.getBoundingClientRect().top - before, behavior: "instant" });
  }

  #update() {
    this.element.hidden = this.size === 0;
  }
}
