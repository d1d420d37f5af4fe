/**
 * The part of a long list that is in the page: the rows near the screen, and spacers of the measured height of all others.
 *
 * A row is one card of a feed, or as many cells as a grid has columns. What is on the screen keeps its place when rows
 * above it are drawn with another height than they had, when entries are inserted or removed, and when the width changes.
 */

import { h } from "../elements/dom.js";
import { idle } from "../elements/later.js";

/** So many rows above and below the screen are drawn, and rows farther than the second number are removed from the page. */
const DRAWN = 8;
const KEPT = 12;
/** A new list draws what is on the screen and this much more, and then as much again each time that the browser is idle. */
const DRAWN_AT_ONCE = 1;
/** Differences of less than this, in CSS pixels, come from rounding and move nothing. */
const TOLERANCE = 0.75;

/**
 * An entry is `{id, photo, element, leave, size, row}`: `photo` is null until it is fetched again, `element` and `leave` are
 * null while it is not in the page, and `size` is {height, frame, width}: its height, that of the picture in it, and the width of the list at that time.
 */
export class ListWindow {
  #body;
  #draw;
  #missing;
  #entries = [];
  #drawn = new Set();
  #byElement = new WeakMap();
  #spacers = [];
  #width = 0;
  #columns = 1;
  #gap = 0;
  /** The upper edge of each row in the list and, as the last number, the end of the list with a gap; null if they have to be computed again. */
  #tops = null;
  #isArranged = true;
  /** The entry that stays in the page wherever it is, as while it is dragged; null without one. */
  held = null;
  #place = null;
  /** So many rows above and below the screen are drawn by now. */
  #ahead = DRAWN_AT_ONCE;
  #isGrowing = false;
  #left = false;
  #resized = new ResizeObserver((records) => this.#measured(records));
  /** An element without a height, whose size is the width of the list: it has to be placed next to the list. */
  ruler = h("div", { "aria-hidden": "true" });

  /** `draw(photo, index)` returns `{element, leave}`; `missing(entries)` is called for entries near the screen whose photos have to be fetched. */
  constructor(body, { draw, missing }) {
    this.#body = body;
    this.#draw = draw;
    this.#missing = missing;
    this.#resized.observe(this.ruler);
    addEventListener("scroll", this.update, { passive: true });
  }

  get entries() {
    return this.#entries;
  }

  /** Where the list is read: `{id, top}`, an entry on the screen and the distance of its upper edge from that of the window; null at its beginning. */
  get place() {
    // The browser reports a movement only when it draws the next time, which a page that is left may not do again.
    this.update();
    return this.#place;
  }

  leave() {
    this.#left = true;
    removeEventListener("scroll", this.update);
    this.#resized.disconnect();
    this.clear();
  }

  /** Insert entries before the one at an index. */
  insert(index, ...entries) {
    this.#entries.splice(index, 0, ...entries);
    this.#changed();
  }

  remove(entry) {
    const index = this.#entries.indexOf(entry);
    if (index < 0) return;
    this.#entries.splice(index, 1);
    this.#erase(entry);
    this.#changed();
  }

  /** Move an entry to an index; it is in the page afterwards if it was before, and loses the focus. */
  move(entry, index) {
    this.#entries.splice(this.#entries.indexOf(entry), 1);
    this.#entries.splice(index, 0, entry);
    this.#changed();
    // What is read is not where the moved entry was, so the elements are put in order before anything else is.
    this.#arrange();
    const { held } = this;
    this.held = entry;
    this.update();
    this.held = held;
  }

  clear() {
    for (const entry of [...this.#drawn]) this.#erase(entry);
    this.#entries = [];
    this.#ahead = DRAWN_AT_ONCE;
    this.#changed();
    this.#body.replaceChildren();
  }

  /** Scroll to where an entry is `top` CSS pixels below the upper edge of the window; return whether it is in the list. */
  show({ id, top }) {
    const entry = this.#entries.find((one) => one.id === id);
    if (!entry || !this.#isShown()) return false;
    this.update();
    this.#computeTops();
    scrollBy({ top: this.#body.getBoundingClientRect().top + this.#tops[entry.row] - top, behavior: "instant" });
    this.update();
    if (entry.element) scrollBy({ top: entry.element.getBoundingClientRect().top - top, behavior: "instant" });
    this.#place = { id, top };
    return true;
  }

  /** Draw the rows near the screen and remove those far from it. */
  update = () => {
    if (!this.#isShown()) return;
    if (this.#body.clientWidth !== this.#width) this.#widen();
    this.#computeTops();
    const near = this.#rowsOnScreen();
    const anchor = this.#anchor(near);
    const before = anchor?.element.getBoundingClientRect().top;
    const wasDrawn = this.#drawNear(near);
    const wasErased = this.#eraseFar(near);
    if (wasDrawn || wasErased || !this.#isArranged) this.#arrange();
    if (anchor?.element) {
      const moved = anchor.element.getBoundingClientRect().top - before;
      // A list at its beginning is not moved: what is new above is to be seen.
      if (scrollY > 0 && Math.abs(moved) > TOLERANCE) scrollBy({ top: moved, behavior: "instant" });
    }
    this.#notePlace(near);
    if (this.#ahead < DRAWN && this.#entries.length > 0) this.#growLater();
  };

  /** Draw more rows around the screen, a few at a time, so that nothing waits for them. */
  async #growLater() {
    if (this.#isGrowing) return;
    this.#isGrowing = true;
    await idle();
    this.#isGrowing = false;
    if (this.#left) return;
    this.#ahead = Math.min(DRAWN, this.#ahead + DRAWN_AT_ONCE);
    this.update();
  }

  #isShown() {
    return this.#body.isConnected && this.#body.clientWidth > 0;
  }

  #changed() {
    this.#isArranged = false;
    this.#tops = null;
  }

  /** Return the first and the last row that are on the screen, or those next to it. */
  #rowsOnScreen() {
    const origin = this.#body.getBoundingClientRect().top;
    const guess = this.#rowAt(-origin);
    const distance = ({ row }) => Math.abs(row - guess);
    const closest = [...this.#drawn].reduce((best, entry) => (best && distance(best) <= distance(entry) ? best : entry), null);
    // The spacers have the heights that were known when they were made; what is in the page says where the rows are.
    const isNear = closest?.element.isConnected && distance(closest) <= KEPT;
    const shift = isNear ? closest.element.getBoundingClientRect().top - origin - this.#tops[closest.row] : 0;
    const from = -origin - shift;
    const first = this.#rowAt(from);
    let last = first;
    while (last < this.#tops.length - 2 && this.#tops[last + 1] < from + innerHeight) last += 1;
    return { first, last };
  }

  /** Return the row at a distance from the beginning of the list. */
  #rowAt(distance) {
    let row = 0;
    while (row < this.#tops.length - 2 && this.#tops[row + 1] <= distance) row += 1;
    return row;
  }

  #rowOf(index) {
    return this.#entries.slice(index * this.#columns, (index + 1) * this.#columns);
  }

  #drawNear({ first, last }) {
    const rows = new Set();
    const end = this.#tops.length - 1;
    for (let row = Math.max(0, first - this.#ahead); row <= Math.min(end - 1, last + this.#ahead); row++) rows.add(row);
    // A row is drawn as a whole. After an insertion the cells of a row may come from two.
    for (const { row } of this.#drawn) if (row >= first - KEPT && row <= last + KEPT) rows.add(row);
    const missing = [];
    let wasDrawn = false;
    for (const row of rows) {
      const entries = this.#rowOf(row);
      const unknown = entries.filter(({ photo }) => photo === null);
      missing.push(...unknown);
      if (unknown.length > 0) continue;
      for (const entry of entries) {
        if (entry.element) continue;
        this.#add(entry);
        wasDrawn = true;
      }
    }
    if (missing.length > 0) this.#missing(missing);
    return wasDrawn;
  }

  #add(entry) {
    const { element, leave } = this.#draw(entry.photo, this.#entries.indexOf(entry));
    Object.assign(entry, { element, leave });
    this.#drawn.add(entry);
    this.#byElement.set(entry.element, entry);
    this.#resized.observe(entry.element);
  }

  #eraseFar({ first, last }) {
    // The row with the focus stays, so that the keys go on from there.
    const focused = [...this.#drawn].find(({ element }) => element.contains(document.activeElement))?.row;
    const isFar = ({ row }) => (row < first - KEPT || row > last + KEPT) && row !== focused && row !== this.held?.row;
    const far = [...this.#drawn].filter(isFar);
    for (const entry of far) this.#erase(entry);
    return far.length > 0;
  }

  #erase(entry) {
    if (!entry.element) return;
    this.#drawn.delete(entry);
    this.#resized.unobserve(entry.element);
    entry.element.remove();
    entry.leave();
    entry.element = entry.leave = null;
  }

  /** Put the elements and spacers into their order, without moving an element that is there: it would lose the focus. */
  #arrange() {
    this.#computeTops();
    for (const spacer of this.#spacers) spacer.remove();
    const rows = this.#tops.length - 1;
    const wanted = [];
    let spacers = 0;
    let empty = null;
    const close = (row) => {
      if (empty === null) return;
      const spacer = (this.#spacers[spacers++] ??= h("div.spacer", { "aria-hidden": "true" }));
      spacer.style.blockSize = `${this.#tops[row] - this.#tops[empty] - this.#gap}px`;
      wanted.push(spacer);
      empty = null;
    };
    for (let row = 0; row < rows; row++) {
      const elements = this.#rowOf(row).map(({ element }) => element).filter(Boolean);
      if (elements.length === 0) empty ??= row;
      else {
        close(row);
        wanted.push(...elements);
      }
    }
    close(rows);
    let next = this.#body.firstChild;
    for (const element of wanted) {
      if (element === next) next = next.nextSibling;
      else this.#body.insertBefore(element, next);
    }
    this.#isArranged = true;
  }

  /**
   * Return the entry that keeps its place on the screen: the first whose upper edge is there, so that it stays there with another height;
   * in the middle of a row, where it stays when a photo above comes or goes.
   */
  #anchor({ first, last }) {
    const drawn = [];
    for (let row = first; row <= last; row++) {
      const entries = this.#rowOf(row);
      const middle = entries[Math.floor(entries.length / 2)];
      if (middle?.element?.isConnected) drawn.push(middle);
    }
    return drawn.find(({ element }) => element.getBoundingClientRect().top >= 0) ?? drawn[0] ?? null;
  }

  #notePlace(near) {
    const anchor = scrollY > 0 && this.#anchor(near);
    this.#place = anchor ? { id: anchor.id, top: anchor.element.getBoundingClientRect().top } : null;
  }

  /** Note the sizes of what is in the page. */
  #measured(records) {
    if (!this.#isShown()) return;
    for (const { target, borderBoxSize } of records) {
      const entry = this.#byElement.get(target);
      const height = borderBoxSize[0].blockSize;
      if (!entry?.element || height === 0) continue;
      entry.size = { height, frame: target.querySelector(".frame")?.offsetHeight ?? 0, width: this.#body.clientWidth };
      this.#tops = null;
    }
    if (records.some(({ target }) => target === this.ruler)) this.update();
  }

  /** Take over the width of the list, and keep the place at which it is read. */
  #widen() {
    const place = this.#place;
    this.#width = this.#body.clientWidth;
    this.#changed();
    if (place) this.show(place);
  }

  #computeTops() {
    if (this.#tops) return;
    const { gridTemplateColumns, rowGap } = getComputedStyle(this.#body);
    this.#columns = gridTemplateColumns.split(" ").length;
    this.#gap = parseFloat(rowGap) || 0;
    const known = this.#entries.map((entry) => this.#heightOf(entry)).filter(Boolean);
    const usual = known.length > 0 ? known.reduce((sum, height) => sum + height, 0) / known.length : this.#width / this.#columns;
    this.#tops = [0];
    for (let index = 0; index < this.#entries.length; index += this.#columns) {
      const row = this.#tops.length - 1;
      let height = 0;
      for (const entry of this.#entries.slice(index, index + this.#columns)) {
        entry.row = row;
        height = Math.max(height, this.#heightOf(entry) ?? usual);
      }
      this.#tops.push(this.#tops[row] + height + this.#gap);
    }
  }

  /** Return the height of an entry: measured, or derived from that at another width, where a picture grows with the list; null if it is unknown. */
  #heightOf({ size }) {
    if (!size) return null;
    if (size.width === this.#width) return size.height;
    if (this.#columns > 1) return null;
    return size.height + size.frame * (this.#width / size.width - 1);
  }
}
