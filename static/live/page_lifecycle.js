/**
 * Report when the page goes to sleep and wakes up, from the browser's events and from jumps of the clock.
 *
 * `events`: `woke()` (the page became visible, the network is back, or the machine has slept), `lostNetwork()`,
 * `suspended()` (the page is frozen or in the back/forward cache, and none of its code runs), `restored()`, and
 * `tick()` every `TICK_MS` milliseconds while the page is visible.
 */

export const TICK_MS = 5000;
/** A tick that is later than this shows that the machine has slept: no event reports that. */
const CLOCK_JUMP_MS = 5000;

export class PageLifecycle {
  #events;
  #listening = null;
  #interval = null;
  #tickedAt = 0;

  constructor(events) {
    this.#events = events;
  }

  start() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    const { lostNetwork, suspended, restored } = this.#events;
    const wake = () => this.#wake();
    const restore = () => {
      restored();
      wake();
    };
    window.addEventListener("online", wake, { signal });
    window.addEventListener("offline", () => lostNetwork(), { signal });
    window.addEventListener("pagehide", () => suspended(), { signal });
    window.addEventListener("pageshow", restore, { signal });
    document.addEventListener("freeze", () => suspended(), { signal });
    document.addEventListener("resume", restore, { signal });
    document.addEventListener("visibilitychange", wake, { signal });
    this.#tickedAt = Date.now();
    this.#interval = setInterval(() => this.#tick(), TICK_MS);
  }

  stop() {
    this.#listening?.abort();
    clearInterval(this.#interval);
  }

  /** Return whether the page may be visible to the user. */
  get visible() {
    return document.visibilityState !== "hidden";
  }

  /** Hidden pages do not report it: when a network comes back, ten thousand of them need not reconnect at once. */
  #wake() {
    if (this.visible) this.#events.woke();
  }

  #tick() {
    const lateMs = Date.now() - this.#tickedAt - TICK_MS;
    this.#tickedAt = Date.now();
    if (lateMs > CLOCK_JUMP_MS) this.#wake();
    if (this.visible) this.#events.tick();
  }
}
