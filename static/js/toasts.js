/** Short messages that pass: said aloud by screen readers, gone after a few seconds. */

import { fill, h, icon, sentence } from "./dom.js";

/** Milliseconds that a message stays. */
const STAYS = 6000;
const AT_ONCE = 3;

export class Toasts {
  element = h("div.toasts", { role: "status", "aria-live": "polite" });

  /** Show a message; `href` makes it a link, `iconName` puts a sign before it. */
  show(text, { href = null, iconName = null } = {}) {
    const toast = h("div.toast");
    const dismiss = h("button.icon-button", { type: "button", "aria-label": "Dismiss", onclick: () => this.#leave(toast) }, icon("close"));
    fill(toast, iconName && icon(iconName), href ? h("a", { href, onclick: () => this.#leave(toast) }, text) : h("span", {}, text), dismiss);
    while (this.element.childElementCount >= AT_ONCE) this.element.firstElementChild.remove();
    this.element.append(toast);
    let timer = setTimeout(() => this.#leave(toast), STAYS);
    toast.addEventListener("pointerenter", () => clearTimeout(timer));
    toast.addEventListener("pointerleave", () => {
      timer = setTimeout(() => this.#leave(toast), STAYS / 2);
    });
  }

  /** Take away every message that leads to a path, once the reader is there. */
  clear(href) {
    for (const link of this.element.querySelectorAll("a")) if (link.getAttribute("href") === href) this.#leave(link.closest(".toast"));
  }

  /** Show why something failed. */
  error(error) {
    this.show(sentence(error.message));
  }

  #leave(toast) {
    toast.classList.add("leaving");
    setTimeout(() => toast.remove(), 320);
  }
}
