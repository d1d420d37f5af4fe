/** A sign of the live connection: quiet while all is well, clear when it is not, and then with a way to retry. */

import { fill, h } from "./dom.js";

/** A short interruption says nothing; after so many milliseconds the page tells of it. */
const PATIENCE = 1200;

const WORDS = {
  live: "Live",
  connecting: "Connecting…",
  waiting: "Reconnecting…",
  offline: "Offline",
  stopped: "Disconnected",
};
const IN_TROUBLE = new Set(["waiting", "offline", "stopped"]);

export class ConnectionSign {
  #live;
  #timer = null;
  /** What to tell once patience is at its end. */
  #next = "connecting";
  #words = h("span", { role: "status" });
  #retry = h("button", { type: "button", hidden: true, onclick: () => this.#connect() }, "Retry now");
  element = h("div.live-state", {}, this.#words, this.#retry);

  constructor(live) {
    this.#live = live;
    this.#say("connecting");
    live.addEventListener("state", ({ detail }) => this.#changed(detail));
  }

  get #shown() {
    return this.element.dataset.state;
  }

  #changed({ state, reason }) {
    if (state === "live") this.#say("live");
    // Without a reason nobody is signed in; the next one begins anew.
    else if (state === "stopped") this.#say(reason ? "stopped" : "connecting");
    else this.#unsettled(state);
  }

  /** Tell of an interruption that lasts; each of its attempts is no news. */
  #unsettled(state) {
    if (state !== "connecting" || this.#next === "live") this.#next = state;
    if (IN_TROUBLE.has(this.#shown)) this.#say(this.#next);
    else this.#timer ??= setTimeout(() => this.#say(this.#next), PATIENCE);
  }

  #connect() {
    this.#say("connecting");
    this.#live.retryNow();
  }

  #say(state) {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#next = state;
    if (state === this.#shown) return;
    this.element.dataset.state = state;
    fill(this.#words, WORDS[state]);
    const focused = document.activeElement === this.#retry;
    this.#retry.hidden = !IN_TROUBLE.has(state);
    if (focused && this.#retry.hidden) document.getElementById("main")?.focus({ preventScroll: true });
  }
}
