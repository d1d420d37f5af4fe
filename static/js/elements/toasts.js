/** Toasts: short messages that disappear after a few seconds and are announced by screen readers. */

import { asSentence, fill, h, icon } from "./dom.js";
import { t } from "./texts.js";

/** A message is shown for this long. */
const DURATION_MS = 6000;
const MAX_TOASTS = 3;

export class Toasts {
  element = h("div.toasts", { role: "status", "aria-live": "polite" });

  /** Show a message; `href` makes it a link, `iconName` puts an icon before it, `action` [label, run] a button after it. */
  show(text, { href = null, iconName = null, action = null } = {}) {
    const toast = h("div.toast");
    const dismiss = h("button.icon-button", { type: "button", "aria-label": t("Dismiss"), onclick: () => this.#leave(toast) }, icon("close"));
    const act = () => {
      this.#leave(toast);
      action[1]();
    };
    const button = action && h("button.toast-action", { type: "button", onclick: act }, action[0]);
    fill(toast, iconName && icon(iconName), href ? h("a", { href, onclick: () => this.#leave(toast) }, text) : h("span", {}, text), button, dismiss);
    while (this.element.childElementCount >= MAX_TOASTS) this.element.firstElementChild.remove();
    this.element.append(toast);
    let timer = setTimeout(() => this.#leave(toast), DURATION_MS);
    // A message that is being read or operated stays.
    const stay = () => clearTimeout(timer);
    const leaveSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#leave(toast), DURATION_MS / 2);
    };
    toast.addEventListener("pointerenter", stay);
    toast.addEventListener("focusin", stay);
    toast.addEventListener("pointerleave", leaveSoon);
    toast.addEventListener("focusout", leaveSoon);
  }

  /** Remove every message that links to a path. */
  clear(href) {
    for (const link of this.element.querySelectorAll("a")) if (link.getAttribute("href") === href) this.#leave(link.closest(".toast"));
  }

  /** Show an error. */
  error(error) {
    this.show(asSentence(error.message));
  }

  #leave(toast) {
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), 320);
  }
}
