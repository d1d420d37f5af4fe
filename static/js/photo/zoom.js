/** Zoom and pan one element in a stage: by wheel, pinch, double tap, drag, and by calls. Swipes are reported. */

import { onDoubleTap } from "./like.js";
import { lineDirection } from "../elements/texts.js";

/** In CSS pixels: a movement below it is a tap. */
const SLOP = 8;
/** In CSS pixels: a swipe beyond it, when it ends, has an effect. */
const SWIPE = 56;
/** What a double tap enlarges to, where the picture has enough pixels. */
const DOUBLE_TAP = 2.5;
/** What a step of the wheel's delta changes, as an exponent; a pinch on a trackpad has smaller deltas. */
const WHEEL = 0.002;
const TRACKPAD = 0.01;
/** In CSS pixels for a line of a wheel that counts in lines. */
const LINE = 16;

export class Zoom {
  #stage;
  #events;
  #element = null;
  #size = { width: 1, height: 1 };
  #most = 1;
  #scale = 1;
  #x = 0;
  #y = 0;
  /** The last places of the pointers that are down, by their ids. */
  #pointers = new Map();
  /** The gesture of these pointers: "none" until it is known, "pan", "pinch", "across", "down" or "ignored". */
  #gesture = "none";
  #start = null;

  /**
   * `events` has `changed()` after each change of the scale, `swiped(step)` with 1 for the next picture and -1 for the
   * previous one, `pulled()` after a swipe down, and `beside()` after a click next to the picture.
   */
  constructor(stage, events) {
    this.#stage = stage;
    this.#events = events;
    for (const [type, handle] of Object.entries({ pointerdown: this.#down, pointermove: this.#move, pointerup: this.#up, pointercancel: this.#up })) {
      stage.addEventListener(type, handle);
    }
    stage.addEventListener("wheel", this.#wheel, { passive: false });
    stage.addEventListener("click", this.#clicked, { capture: true });
    onDoubleTap(stage, (event) => this.#element?.contains(event.target) && this.toggle(event));
  }

  get scale() {
    return this.#scale;
  }

  /** Zoom another element of this size in CSS pixels, up to `most` times; it is shown whole at first. */
  show(element, size, most) {
    this.#element = element;
    this.#size = size;
    this.#most = most;
    this.#set(1, 0, 0, false);
  }

  /** Multiply the scale; the point of an event, by default the middle, stays where it is. */
  by(factor, point = null, gliding = true) {
    const scale = Math.min(this.#most, Math.max(1, this.#scale * factor));
    const { x, y } = this.#fromMiddle(point);
    const ratio = scale / this.#scale;
    this.#set(scale, x - (x - this.#x) * ratio, y - (y - this.#y) * ratio, gliding);
  }

  /** Enlarge the picture at a point, or show it whole again. */
  toggle(point = null) {
    if (this.#scale > 1) this.reset();
    else this.by(Math.min(DOUBLE_TAP, this.#most), point);
  }

  /** Show the whole picture. */
  reset() {
    this.#set(1, 0, 0, true);
  }

  /** Move the enlarged picture by CSS pixels. */
  pan(x, y, gliding = true) {
    this.#set(this.#scale, this.#x + x, this.#y + y, gliding);
  }

  #set(scale, x, y, gliding) {
    const reach = (length, window) => Math.max(0, (length * scale - window) / 2);
    const across = reach(this.#size.width, this.#stage.clientWidth);
    const along = reach(this.#size.height, this.#stage.clientHeight);
    const changed = scale !== this.#scale;
    this.#scale = scale;
    this.#x = Math.min(across, Math.max(-across, x));
    this.#y = Math.min(along, Math.max(-along, y));
    this.#draw(this.#x, this.#y, gliding);
    if (changed) this.#events.changed();
  }

  #draw(x, y, gliding) {
    if (!this.#element) return;
    this.#element.classList.toggle("gliding", gliding);
    this.#element.style.transform = `translate(${x}px, ${y}px) scale(${this.#scale})`;
  }

  /** Return the place of an event from the middle of the stage. */
  #fromMiddle(point) {
    if (!point) return { x: 0, y: 0 };
    const { left, top, width, height } = this.#stage.getBoundingClientRect();
    return { x: point.clientX - left - width / 2, y: point.clientY - top - height / 2 };
  }

  #down = (event) => {
    if (event.button !== 0 || event.target.closest("button, a")) return;
    this.#pointers.set(event.pointerId, event);
    if (this.#pointers.size === 1) {
      this.#start = event;
      this.#gesture = "none";
    } else {
      this.#gesture = this.#pointers.size === 2 ? "pinch" : "ignored";
    }
  };

  #move = (event) => {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    if (event.buttons === 0) {
      // It was released outside the stage.
      this.#pointers.delete(event.pointerId);
      return;
    }
    if (this.#gesture === "none") this.#gesture = this.#begun(event);
    if (this.#gesture === "none") return;
    // Only now: a click would go to the element that captures the pointer, and not to a button in the picture.
    this.#stage.setPointerCapture(event.pointerId);
    if (this.#gesture === "pinch") this.#pinch(event);
    this.#pointers.set(event.pointerId, event);
    const x = event.clientX - this.#start.clientX;
    const y = event.clientY - this.#start.clientY;
    if (this.#gesture === "pan") this.pan(event.clientX - before.clientX, event.clientY - before.clientY, false);
    if (this.#gesture === "across") this.#draw(x, 0, false);
    if (this.#gesture === "down") this.#draw(0, Math.max(0, y), false);
  };

  #begun(event) {
    const x = event.clientX - this.#start.clientX;
    const y = event.clientY - this.#start.clientY;
    if (Math.hypot(x, y) < SLOP) return "none";
    if (this.#scale > 1) return "pan";
    if (event.pointerType === "mouse") return "ignored";
    if (Math.abs(x) > Math.abs(y)) return "across";
    return y > 0 ? "down" : "ignored";
  }

  #pinch(event) {
    const other = [...this.#pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    const before = this.#pointers.get(event.pointerId);
    const distance = (one) => Math.max(1, Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY));
    const middle = { clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 };
    this.by(distance(event) / distance(before), middle, false);
    this.pan((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2, false);
  }

  #up = (event) => {
    if (!this.#pointers.delete(event.pointerId)) return;
    const gesture = this.#gesture;
    if (this.#pointers.size > 0) {
      // The finger that is left after a pinch goes on with moving the picture.
      [this.#start] = this.#pointers.values();
      this.#gesture = this.#pointers.size === 1 && this.#scale > 1 ? "pan" : "ignored";
      return;
    }
    if (gesture !== "across" && gesture !== "down") return;
    this.#draw(this.#x, this.#y, true);
    if (event.type === "pointercancel") return;
    const x = event.clientX - this.#start.clientX;
    if (gesture === "down" && event.clientY - this.#start.clientY > SWIPE) this.#events.pulled();
    if (gesture === "across" && Math.abs(x) > SWIPE) this.#events.swiped(x * lineDirection() < 0 ? 1 : -1);
  };

  #wheel = (event) => {
    event.preventDefault();
    const delta = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
    this.by(Math.exp(-delta * (event.ctrlKey ? TRACKPAD : WHEEL)), event, false);
  };

  #clicked = (event) => {
    // The end of a gesture is no click.
    if (this.#gesture !== "none" && event.detail > 0) event.stopPropagation();
    else if (event.target === this.#stage) this.#events.beside();
    this.#gesture = "none";
  };
}
