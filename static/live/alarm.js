/** The longest that browsers take; a longer timer would ring at once. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * One timer that can be asked whether it is late.
 *
 * Browsers let the timers of a page in the background run up to a minute late, while messages arrive in time:
 * whoever gets one nudges the alarms.
 */
export class Alarm {
  #timer = null;
  #due = Infinity;
  #act = null;

  /** Call `act` once, in `ms` milliseconds, in place of what was set before. */
  set(ms, act) {
    this.clear();
    this.#act = act;
    this.#due = Date.now() + ms;
    this.#timer = setTimeout(() => this.#ring(), Math.min(ms, LONGEST_MS));
  }

  clear() {
    clearTimeout(this.#timer);
    this.#due = Infinity;
    this.#act = null;
  }

  /** Ring now if it is due. */
  nudge() {
    if (Date.now() >= this.#due) this.#ring();
  }

  #ring() {
    const act = this.#act;
    this.clear();
    act();
  }
}
