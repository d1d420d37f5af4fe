/** The longest delay that browsers accept; a longer one would run at once. */
const MAX_DELAY_MS = 2 ** 31 - 1;

/**
 * A one-shot timer that can also be run by hand when it is overdue.
 *
 * Browsers delay the timers of a background page by up to a minute, but deliver messages on time. Code that receives a
 * message therefore calls `runIfDue` on its timers.
 */
export class Timer {
  #handle = null;
  #due = Infinity;
  #callback = null;

  /** Call `callback` once in `ms` milliseconds; replaces what was set before. */
  set(ms, callback) {
    this.clear();
    this.#callback = callback;
    this.#due = Date.now() + ms;
    this.#handle = setTimeout(() => this.#run(), Math.min(ms, MAX_DELAY_MS));
  }

  clear() {
    clearTimeout(this.#handle);
    this.#due = Infinity;
    this.#callback = null;
  }

  /** Run the callback now if its time has passed. */
  runIfDue() {
    if (Date.now() >= this.#due) this.#run();
  }

  #run() {
    const callback = this.#callback;
    this.clear();
    callback();
  }
}
