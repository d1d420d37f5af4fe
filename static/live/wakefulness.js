/**
 * Notice when a page comes and goes: what the browser tells, and what only a leap of the clock shows.
 *
 * `events`: `woke()` (somebody looks again, the network is back, or the machine has slept), `lostNetwork()`,
 * `away()` (nothing runs any more: frozen, or put aside for the back button), `back()`, and `tick()` every
 * `TICK_MS` milliseconds while somebody looks.
 */

export const TICK_MS = 5000;
/** Timers that are so many milliseconds late have slept. */
const LEAP_MS = 5000;

export class Wakefulness {
  #events;
  #listening = null;
  #timer = null;
  #tickedAt = 0;

  constructor(events) {
    this.#events = events;
  }

  start() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const { lostNetwork, away, back } = this.#events;
    const woke = () => this.#woke();
    const returned = () => {
      back();
      woke();
    };
    window.addEventListener("online", woke, { signal });
    window.addEventListener("offline", () => lostNetwork(), { signal });
    window.addEventListener("pagehide", () => away(), { signal });
    window.addEventListener("pageshow", returned, { signal });
    document.addEventListener("freeze", () => away(), { signal });
    document.addEventListener("resume", returned, { signal });
    document.addEventListener("visibilitychange", woke, { signal });
    this.#tickedAt = Date.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    this.#listening?.abort();
    clearInterval(this.#timer);
  }

  /** Return whether anybody may be looking at the page. */
  get watched() {
    return document.visibilityState !== "hidden";
  }

  /** A page that nobody looks at sleeps on: ten thousand of them need not come back together. */
  #woke() {
    if (this.watched) this.#events.woke();
  }

  #tick() {
    const late = Date.now() - this.#tickedAt - TICK_MS;
    this.#tickedAt = Date.now();
    if (late > LEAP_MS) this.#woke();
    if (this.watched) this.#events.tick();
  }
}
