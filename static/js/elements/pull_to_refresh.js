/**
 * Pull to refresh: a page that is at its top is loaded again when it is pulled down by a finger.
 *
 * It is never the only way: the frame around the page has a button for the same.
 */

import { h, icon } from "./dom.js";

/** In CSS pixels: a finger that has moved less may be about to tap or to swipe, and a page that was pulled by the second is loaded again. */
const BEGIN = 12;
const ENOUGH = 64;
const MOST = 96;
/** The page follows the finger at this part of its speed. */
const RESISTANCE = 0.5;

/** Call `refresh()`, which returns a promise, when a page is pulled down while `allowed()` is true; lasts as long as the page. */
export function pullToRefresh({ refresh, allowed }) {
  const pull = new Pull(refresh, allowed);
  addEventListener("touchstart", (event) => pull.started(event), { passive: true });
  addEventListener("touchmove", (event) => pull.moved(event), { passive: true });
  addEventListener("touchend", () => pull.ended());
  addEventListener("touchcancel", () => pull.cancelled());
}

class Pull {
  #refresh;
  #allowed;
  #start = null;
  #distance = 0;
  #element = h("div.pull", { "aria-hidden": "true", hidden: true }, icon("refresh"));

  constructor(refresh, allowed) {
    this.#refresh = refresh;
    this.#allowed = allowed;
    document.body.append(this.#element);
  }

  started({ touches, target }) {
    this.#start = touches.length === 1 && scrollY <= 0 && this.#allowed() && !isElsewhere(target) ? touches[0] : null;
    this.#distance = 0;
  }

  moved({ touches: [touch, another] }) {
    if (!this.#start) return;
    const down = touch.clientY - this.#start.clientY;
    const aside = Math.abs(touch.clientX - this.#start.clientX);
    const isPull = down > BEGIN && scrollY <= 0 && !another;
    if (this.#distance === 0 && aside > Math.max(BEGIN, down)) this.#start = null;
    else this.#show(isPull ? Math.min(MOST, (down - BEGIN) * RESISTANCE) : 0);
  }

  async ended() {
    const isEnough = this.#start !== null && this.#distance >= ENOUGH;
    this.#start = null;
    if (isEnough) {
      this.#element.classList.add("busy");
      await this.#refresh();
      this.#element.classList.remove("busy");
    }
    this.#show(0);
  }

  cancelled() {
    this.#start = null;
    this.#show(0);
  }

  #show(distance) {
    this.#distance = distance;
    this.#element.hidden = distance === 0;
    this.#element.classList.toggle("enough", distance >= ENOUGH);
    this.#element.style.setProperty("--pulled", `${distance}px`);
    this.#element.style.setProperty("--turn", `${3 * distance}deg`);
  }
}

/** Return whether a touch belongs to something over the page, or to a part that scrolls by itself and is not at its top. */
function isElsewhere(target) {
  if (target.closest?.("dialog, input, textarea, [popover]")) return true;
  for (let element = target; element && element !== document.body; element = element.parentElement) if (element.scrollTop > 0) return true;
  return false;
}
