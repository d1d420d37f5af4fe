/** The status of the live connection: unobtrusive while connected, otherwise prominent and with a retry button. */

import { fill, h } from "./dom.js";
import { t } from "./texts.js";

/** Interruptions shorter than this are not shown. */
const SHOW_AFTER_MS = 1200;

const LABELS = {
  live: t("Live"),
  connecting: t("Connecting…"),
  waiting: t("Reconnecting…"),
  offline: t("Offline"),
  stopped: t("Disconnected"),
};
const NOT_CONNECTED = new Set(["waiting", "offline", "stopped"]);

export class ConnectionStatus {
  #live;
  #timer = null;
  /** The state to show when the timer runs out. */
  #next = "connecting";
  #label = h("span", { role: "status" });
  #retry = h("button", { type: "button", hidden: true, onclick: () => this.#connect() }, t("Retry now"));
  element = h("div.connection-status", {}, this.#label, this.#retry);

  constructor(live) {
    this.#live = live;
    this.#setStatus("connecting");
    live.addEventListener("state", ({ detail }) => this.#changed(detail));
  }

  get #shown() {
    return this.element.dataset.state;
  }

  #changed({ state, reason }) {
    if (state === "live") this.#setStatus("live");
    // Without a reason the user has signed out; the next user starts with a new connection.
    else if (state === "stopped") this.#setStatus(reason ? "stopped" : "connecting");
    else this.#interrupted(state);
  }

  /** Show an interruption that lasts; its single attempts to connect change nothing. */
  #interrupted(state) {
    if (state !== "connecting" || this.#next === "live") this.#next = state;
    if (NOT_CONNECTED.has(this.#shown)) this.#setStatus(this.#next);
    else this.#timer ??= setTimeout(() => this.#setStatus(this.#next), SHOW_AFTER_MS);
  }

  #connect() {
    this.#setStatus("connecting");
    this.#live.retryNow();
  }

  #setStatus(state) {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#next = state;
    if (state === this.#shown) return;
    this.element.dataset.state = state;
    fill(this.#label, LABELS[state]);
    const focused = document.activeElement === this.#retry;
    this.#retry.hidden = !NOT_CONNECTED.has(state);
    if (focused && this.#retry.hidden) document.getElementById("main")?.focus({ preventScroll: true });
  }
}
